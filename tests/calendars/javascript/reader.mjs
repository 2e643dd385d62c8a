// Reads a calendar from standard input with the engine named as argument; prints what it understood.
import { readFileSync } from "node:fs";

const seconds = (moment) => Math.round(moment.getTime() / 1000);
const words = (value) => (value && typeof value === "object" ? value.val : value) ?? "";

async function withIcalJs(text) {
  const { default: ICAL } = await import("ical.js");
  ICAL.design.strict = true;
  const root = new ICAL.Component(ICAL.parse(text));
  for (const zone of root.getAllSubcomponents("vtimezone")) {
    ICAL.TimezoneService.register(zone);
  }
  return root.getAllSubcomponents("vevent").map((component) => {
    const event = new ICAL.Event(component);
    return {
      uid: event.uid,
      starts: event.startDate.toUnixTime(),
      ends: event.endDate.toUnixTime(),
      summary: event.summary ?? "",
      description: event.description ?? "",
      location: event.location ?? "",
    };
  });
}

async function withNodeIcal(text) {
  const { default: ical } = await import("node-ical");
  const events = Object.values(ical.sync.parseICS(text)).filter((each) => each.type === "VEVENT");
  return events.map((event) => ({
    uid: event.uid,
    starts: seconds(event.start),
    ends: seconds(event.end),
    summary: words(event.summary),
    description: words(event.description),
    location: words(event.location),
  }));
}

const read = { "ical.js": withIcalJs, "node-ical": withNodeIcal }[process.argv[2]];
process.stdout.write(JSON.stringify({ events: await read(readFileSync(0, "utf8")) }));
