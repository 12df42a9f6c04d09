// Prints, as JSON, when the events of a calendar start by its own VTIMEZONEs: {uid: instant}.

import { readFileSync } from 'node:fs'
import ICAL from 'ical.js'

const calendar = new ICAL.Component(ICAL.parse(readFileSync(process.argv[2], 'utf8')))
for (const zone of calendar.getAllSubcomponents('vtimezone')) ICAL.TimezoneService.register(zone)
const starts = calendar.getAllSubcomponents('vevent').map((vevent) => {
  const start = vevent.getFirstPropertyValue('dtstart')
  return [vevent.getFirstPropertyValue('uid'), new Date(start.toUnixTime() * 1000).toISOString()]
})
console.log(JSON.stringify(Object.fromEntries(starts)))
