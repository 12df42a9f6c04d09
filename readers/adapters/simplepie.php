<?php
// Prints what SimplePie reads of the document at a path.

require 'simplepie/autoloader.php';

// That of PHP's extension intl raises an error for an enclosure without a host.
function idn_to_utf8($domain)
{
    return $domain;
}

$feed = new SimplePie();
$feed->set_raw_data(file_get_contents($argv[1]));
$feed->enable_cache(false);
$feed->init();
// Its strings are HTML.
$plain = fn($html) => html_entity_decode($html ?? '', ENT_QUOTES | ENT_HTML5);
$links = fn($objects, $method) => array_map(fn($object) => $plain($object->$method()), $objects ?? []);
$items = [];
foreach ($feed->get_items() as $item) {
    $items[] = [
        'id' => $item->get_id(),
        'shown_title' => $plain($item->get_title()),
        'link' => $plain($item->get_permalink()),
        'date' => $item->get_date(DATE_ATOM),
        'text' => $item->get_content(),
        'authors' => $links($item->get_authors(), 'get_name'),
        'enclosures' => array_values(preg_grep('~://~', $links($item->get_enclosures(), 'get_link'))),
        'picture' => $links($item->get_enclosures(), 'get_thumbnail'),
        'categories' => $links($item->get_categories(), 'get_label'),
    ];
}
echo json_encode($items);
