// Programs of npm: a function with the package's name returns what it shows.

import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'

const load = async (name) => {
  const module = await import(name)
  return module.default?.default ?? module.default ?? module
}
const list = (value) => [value ?? []].flat()
const text = (value) => value?.value ?? value?.text ?? value
const related = (links, name) => list(links).filter((link) => (link.rel || 'alternate') === name)
const period = [new Date('2029-12-01'), new Date('2031-02-01')]

const jsonItem = (item) => ({
  id: item.id,
  title: item.title,
  link: item.url,
  date: item.date_published,
  text: item.content_html,
  plain_text: item.content_text ?? item.summary,
  authors: list(item.authors).map((author) => author.name),
  enclosures: list(item.attachments).map((file) => file.url),
  categories: list(item.tags),
  picture: list(item.image),
})
const pictures = (media) => list(media?.contents).concat(list(media?.thumbnails)).map((file) => file.url)

const feeds = {
  async feedsmith({ document }) {
    const { parseFeed } = await import('feedsmith')
    const { format, feed } = parseFeed(document)
    if (format === 'json') return feed.items.map(jsonItem)
    if (format === 'rss') {
      return feed.items.map((item) => ({
        id: item.guid.value,
        title: item.title,
        link: item.link,
        date: item.pubDate,
        text: item.content?.encoded ?? item.description,
        authors: item.dc?.creators ?? [],
        enclosures: list(item.enclosures).map((file) => file.url),
        categories: list(item.categories).map((category) => category.name),
        picture: pictures(item.media),
      }))
    }
    return feed.entries.map((entry) => ({
      id: entry.id,
      title: text(entry.title),
      link: related(entry.links, 'alternate')[0].href,
      date: entry.published,
      text: text(entry.content ?? entry.summary),
      authors: list(entry.authors).map((author) => author.name),
      enclosures: related(entry.links, 'enclosure').map((file) => file.href),
      categories: list(entry.categories).map((category) => category.label),
      picture: pictures(entry.media),
    }))
  },

  async 'rss-parser'({ document }) {
    const Parser = await load('rss-parser')
    const feed = await new Parser().parseString(document)
    return feed.items.map((item) => ({
      id: item.guid ?? item.id,
      title: item.title,
      link: item.link,
      date: item.isoDate,
      text: item['content:encoded'] ?? item.content ?? item.summary,
      enclosures: list(item.enclosure).map((file) => file.url),
      categories: list(item.categories).map((category) => text(category._ ?? category)),
    }))
  },

  async feedparser({ document }) {
    const FeedParser = await load('feedparser')
    const items = []
    for await (const item of Readable.from([document]).pipe(new FeedParser())) items.push(item)
    return items.map((item) => ({
      id: item.guid,
      title: item.title,
      link: item.link,
      date: item.pubdate,
      text: item.description,
      authors: list(item.author),
      enclosures: item.enclosures.map((file) => file.url),
      categories: item.categories,
    }))
  },

  async '@rowanmanning/feed-parser'({ document }) {
    const { parseFeed } = await import('@rowanmanning/feed-parser')
    return parseFeed(document).items.map((item) => ({
      id: item.id,
      title: item.title,
      link: item.url,
      date: item.published,
      text: item.content ?? item.description,
      authors: item.authors.map((author) => author.name),
      enclosures: item.media.filter((file) => file.type !== 'image').map((file) => file.url),
      categories: item.categories.map((category) => category.label ?? category.term),
      picture: item.media.filter((file) => file.type === 'image').map((file) => file.url),
    }))
  },

  async feedme({ document }) {
    const FeedMe = await load('feedme')
    const parser = new FeedMe(true)
    parser.end(document)
    const feed = parser.done()
    if (feed.type === 'json') return feed.items.map(jsonItem)
    return feed.items.map((item) => ({
      id: item.id ?? item.guid.text,
      title: text(item.title),
      link: item.link.href ?? (Array.isArray(item.link) ? related(item.link, 'alternate')[0].href : item.link),
      date: item.published ?? item.pubdate,
      text: text(item['content:encoded'] ?? item.content ?? item.summary ?? item.description),
      authors: list(item['dc:creator'] ?? list(item.author).map((author) => author.name)),
    }))
  },

  async '@extractus/feed-extractor'({ document, format }) {
    const { extractFromXml, extractFromJson } = await import('@extractus/feed-extractor')
    const extract = format === 'json' ? extractFromJson : extractFromXml
    const options = { descriptionMaxLen: 0 }
    const parsed = extract(format === 'json' ? JSON.parse(document) : document, options)
    return parsed.entries.map((entry) => ({
      id: entry.id,
      title: entry.title,
      link: entry.link,
      date: entry.published,
      plain_text: entry.description,
    }))
  },

  async htmlparser2({ document }) {
    const { parseFeed } = await import('htmlparser2')
    return parseFeed(document).items.map((item) => ({
      id: item.id,
      title: item.title,
      link: item.link,
      date: item.pubDate,
      text: item.description,
    }))
  },

  async 'rss-to-json'({ url }) {
    const parse = await load('rss-to-json')
    return (await parse(url)).items.map((item) => ({
      id: item.id,
      title: item.title,
      link: item.link,
      date: new Date(item.published),
      text: item.content || item.description,
      enclosures: list(item.enclosures).map((file) => file.url ?? file.href),
      categories: list(item.category).map((category) => category.$text ?? category.label ?? category),
    }))
  },

  async 'react-native-rss-parser'({ document }) {
    const { parse } = await import('react-native-rss-parser')
    return (await parse(document)).items.map((item) => ({
      id: item.id,
      title: item.title,
      link: item.links[0].url,
      date: item.published,
      text: item.content ?? item.description,
      authors: item.authors.map((author) => author.name),
      enclosures: item.enclosures.map((file) => file.url),
      categories: item.categories.map((category) => category.name),
    }))
  },
}

const isDay = (date) => date.dateOnly === true
const localDay = (date) => new Date(date - date.getTimezoneOffset() * 60000).toISOString().slice(0, 10)

const eventFacts = (event, start, end, isAllDay) => ({
  id: text(event.uid),
  shown_title: text(event.summary),
  link: text(event.url),
  plain_text: text(event.description) ?? '',
  start: isAllDay ? localDay(start) : start,
  end: end && isAllDay ? localDay(end) : end,
})

const icalFacts = (event, start, end) => ({
  id: event.uid,
  shown_title: event.summary,
  link: event.component.getFirstPropertyValue('url'),
  plain_text: event.description ?? '',
  start: start.isDate ? start.toString() : start.toJSDate(),
  end: end.isDate ? end.toString() : end.toJSDate(),
})

const calendars = {
  async 'ical.js'({ document }) {
    const ICAL = await load('ical.js')
    const calendar = new ICAL.Component(ICAL.parse(document))
    calendar.getAllSubcomponents('vtimezone').forEach((zone) => ICAL.TimezoneService.register(zone))
    const components = calendar.getAllSubcomponents('vevent')
    return components.filter((component) => !component.hasProperty('recurrence-id')).flatMap((component) => {
      const event = new ICAL.Event(component)
      const occurrences = []
      const iterator = event.iterator()
      for (let start = iterator.next(); start; start = iterator.next()) {
        const { item, startDate, endDate } = event.getOccurrenceDetails(start)
        occurrences.push(icalFacts(item, startDate, endDate))
      }
      return occurrences
    })
  },

  async 'ical-expander'({ document }) {
    const IcalExpander = await load('ical-expander')
    const { events, occurrences } = new IcalExpander({ ics: document }).between(...period)
    return [
      ...events.map((event) => icalFacts(event, event.startDate, event.endDate)),
      ...occurrences.map(({ item, startDate, endDate }) => icalFacts(item, startDate, endDate)),
    ]
  },

  async 'node-ical'({ document }) {
    const ical = await load('node-ical')
    const events = Object.values(ical.sync.parseICS(document)).filter((event) => event.type === 'VEVENT')
    return events.flatMap((event) => {
      const isAllDay = event.datetype === 'date'
      if (!event.rrule) return [eventFacts(event, event.start, event.end, isAllDay)]
      const [from, to] = period
      const instances = ical.expandRecurringEvent(event, { from, to })
      return instances.map(({ event: shown, start, end }) => eventFacts(shown, start, end, isAllDay))
    })
  },

  async ical({ document }) {
    const ical = await load('ical')
    const events = Object.values(ical.parseICS(document)).filter((event) => event.type === 'VEVENT')
    return events.flatMap((event) => {
      const starts = event.rrule?.between(...period) ?? [event.start]
      const end = (start) => event.end && new Date(+start + (event.end - event.start))
      return starts.map((start) => {
        const shown = event.recurrences?.[start.toISOString().slice(0, 10)] ?? event
        return eventFacts(shown, start, end(start), isDay(event.start))
      })
    })
  },

  async 'ts-ics'({ document }) {
    const { convertIcsCalendar, extendByRecurrenceRule } = await import('ts-ics')
    return convertIcsCalendar(undefined, document).events.flatMap((event) => {
      const isAllDay = event.start.type === 'DATE'
      // Its days are those of UTC.
      const utc = (date) => new Date(isAllDay ? +date + new Date(date).getTimezoneOffset() * 60000 : date)
      const start = event.start.date
      const length = event.end ? event.end.date - start : 0
      const exceptions = list(event.exceptionDates).map(({ date }) => date)
      const starts = event.recurrenceRule
        ? extendByRecurrenceRule(event.recurrenceRule, { start, end: period[1], exceptions })
        : [start]
      return starts.map((date) => eventFacts(event, utc(date), utc(+date + length), isAllDay))
    })
  },

  async 'cal-parser'({ document }) {
    const calendar = (await load('cal-parser')).parseString(document)
    return calendar.getEventsBetweenDates(...period).map((event) => {
      const isAllDay = event.dtstart.params?.value === 'DATE'
      return eventFacts(event, event.dtstart.value, event.dtend?.value, isAllDay)
    })
  },
}

const [name, url, path] = process.argv.slice(2)
if (name) {
  const source = { url, document: readFileSync(path, 'utf8'), format: path.split('.').pop() }
  console.log(JSON.stringify(await { ...feeds, ...calendars }[name](source)))
} else {
  console.log(JSON.stringify({ 'feed library': Object.keys(feeds), 'calendar library': Object.keys(calendars) }))
}
