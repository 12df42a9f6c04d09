-- Run this after pg_restore, before the service starts:
--     psql $URL --single-transaction --set ON_ERROR_STOP=1 --file deploy/restored.sql
-- `feedsvc restore` does the same for SQLite.

-- No Last-Modified and no version of an entry may come again: caches and If-Match would
-- take what was lost for current.
UPDATE feed_versions SET time = greatest(time, now());
UPDATE entries SET version = version + 1000000;

-- No sequence number of /api/v1/changes may come again: followers that saw a lost change
-- would miss those that get its number. They get 410, and begin again.
UPDATE change_sequence SET
    seq = greatest(seq + 1, floor(extract(epoch FROM now()) * 1000)::bigint),
    clock = CASE WHEN time < now() THEN now() ELSE clock END,
    time = greatest(time, now());
INSERT INTO changes (seq, time, action, kind, id, version, token)
SELECT seq, time, 'restore', 'database', 'backup', 1, 'restore' FROM change_sequence;
