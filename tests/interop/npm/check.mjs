// Prints, as JSON, what readers of other makes see in the documents whose paths are given:
// {"<path>": {"<reader>": [{id, title, link, published, authors, enclosures: [[url, type, length], …]}, …]}}

import { readFileSync } from 'node:fs'
import { parseFeed } from 'feedsmith'
import ICAL from 'ical.js'
import Parser from 'rss-parser'

const rssParser = new Parser({ customFields: { item: [['dc:creator', 'creators', { keepArray: true }]] } })
const rel = (links, name) => (links ?? []).filter((link) => link.rel === name)

const feedsmith = {
  rss: (item) => ({
    id: item.guid.value,
    title: item.title,
    link: item.link,
    published: item.pubDate,
    authors: item.dc?.creators ?? [],
    enclosures: (item.enclosures ?? []).map((file) => [file.url, file.type, file.length ?? 0]),
  }),
  atom: (entry) => ({
    id: entry.id,
    title: entry.title.value,
    link: rel(entry.links, 'alternate')[0].href,
    published: entry.published,
    authors: (entry.authors ?? []).map((author) => author.name),
    enclosures: rel(entry.links, 'enclosure').map((file) => [file.href, file.type, file.length ?? 0]),
  }),
  json: (item) => ({
    id: item.id,
    title: item.title,
    link: item.url,
    published: item.date_published,
    authors: (item.authors ?? []).map((author) => author.name),
    enclosures: (item.attachments ?? []).map((file) => [file.url, file.mime_type, file.size_in_bytes ?? 0]),
  }),
}

function byFeedsmith(text) {
  const { format, feed } = parseFeed(text)
  return (feed.items ?? feed.entries ?? []).map(feedsmith[format])
}

async function byRssParser(text) {
  const feed = await rssParser.parseString(text)
  return feed.items.map((item) => ({
    id: item.guid ?? item.id,
    title: item.title,
    link: item.link,
    published: item.isoDate,
    authors: item.creators ?? (item.author ? [item.author] : []),
    enclosures: item.enclosure ? [[item.enclosure.url, item.enclosure.type, Number(item.enclosure.length)]] : [],
  }))
}

function byIcal(text) {
  return new ICAL.Component(ICAL.parse(text)).getAllSubcomponents('vevent').map((vevent) => ({
    id: vevent.getFirstPropertyValue('uid'),
    title: vevent.getFirstPropertyValue('summary'),
    link: vevent.getFirstPropertyValue('url'),
    published: null,
    authors: [],
    enclosures: [],
  }))
}

const seen = {}
for (const path of process.argv.slice(2)) {
  const text = readFileSync(path, 'utf8')
  if (path.endsWith('.ics')) seen[path] = { 'ical.js': byIcal(text) }
  else if (path.endsWith('.json')) seen[path] = { feedsmith: byFeedsmith(text) }
  else seen[path] = { feedsmith: byFeedsmith(text), 'rss-parser': await byRssParser(text) }
}
console.log(JSON.stringify(seen))
