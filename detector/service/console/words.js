// Numbers, times and names as people read them. All times are UTC, because records, alerts and colleagues elsewhere
// use it; how long ago something was is counted from the service's time, which in a demo or a replay is not today.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Severities, the most urgent first. */
export const SEVERITIES = ["critical", "high", "medium", "low", "informational"];

/** `14:55:12`, or `2026-11-18 14:55:12` when it is another day than `now`. */
export function clock(time, now) {
  const text = iso(time);
  if (!text) return "unknown";
  const [day, rest] = text.split("T");
  const seconds = rest.replace(/\..*|Z/g, "");
  return iso(now)?.startsWith(day) ? seconds : `${day} ${seconds}`;
}

/** Both, for a `time` element: what it shows and what a machine reads. */
export function iso(time) {
  const date = new Date(time ?? NaN);
  return Number.isNaN(date.valueOf()) ? null : date.toISOString();
}

/** `3 min ago`, or `in 2 h`. */
export function ago(time, now) {
  const seconds = (new Date(now) - new Date(time)) / 1000;
  if (!Number.isFinite(seconds)) return "";
  if (Math.abs(seconds) < 1) return "just now";
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

/** `45 s`, `3 min`, `2 h 5 min`, `4 d`. */
export function duration(seconds) {
  if (seconds < MINUTE) return `${Math.round(seconds)} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < DAY) {
    const minutes = Math.floor((seconds % HOUR) / MINUTE);
    return `${Math.floor(seconds / HOUR)} h${minutes ? ` ${minutes} min` : ""}`;
  }
  return `${Math.floor(seconds / DAY)} d`;
}

/** `1,234`. */
export function number(value) {
  return typeof value === "number" && Number.isFinite(value)
    ? value.toLocaleString("en-US")
    : String(value ?? "unknown");
}

/** `1 alert`, `3 alerts`. */
export function count(value, one, many = `${one}s`) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

/** The part of an ARN that tells it from its neighbours. */
export function shortName(name) {
  const text = String(name ?? "");
  if (!text.startsWith("arn:")) return text;
  const resource = text.split(":").slice(5).join(":");
  return resource.replace(/^(user|assumed-role|role)\//, "") || text;
}

/** At most so many characters, the middle left out: both ends tell names apart. */
export function middle(text, most) {
  const characters = [...String(text)];
  if (characters.length <= most) return characters.join("");
  const end = Math.floor((most - 1) / 2);
  return `${characters.slice(0, most - 1 - end).join("")}…${characters.slice(-end).join("")}`;
}

/** `security_group` as `security group`. */
export function plain(name) {
  return String(name ?? "").replaceAll("_", " ");
}
