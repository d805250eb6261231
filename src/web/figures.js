// Numbers as people read them.

const KIB = 1024;
const UNITS = ["KB", "MB", "GB", "TB"];

/** 75 is 01:15; from an hour on 1:01:15. */
export function clock(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const tail = `${two(minutes)}:${two(Math.floor(seconds) % 60)}`;
  return hours ? `${hours}:${tail}` : tail;
}

/** "1 minute 15 seconds": a clock's figures are read out as nonsense. */
export function spoken(seconds) {
  const whole = Math.floor(seconds);
  const parts = [[Math.floor(whole / 3600), "hour"], [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"]];
  const told = parts.filter(([count, unit]) => count > 0 || (unit === "second" && whole === 0));
  return told.map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`).join(" ");
}

export function size(bytes) {
  let [value, unit] = [bytes / KIB, 0];
  while (value >= 999.5 && unit < UNITS.length - 1) [value, unit] = [value / KIB, unit + 1];
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)}\u00a0${UNITS[unit]}`;
}

/** `time` in the server's form; in this browser's language and zone. */
export function moment(time) {
  const options = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  const date = new Date(time);
  const isThisYear = date.getFullYear() === new Date().getFullYear();
  return date.toLocaleString([], isThisYear ? options : { ...options, year: "numeric" });
}

/** "Anna, Boris and 3 others". */
export function names(people, most = 3) {
  const known = people.map((person) => person.display_name || "Somebody");
  if (known.length <= 1) return known.join("");
  const shown = known.length > most ? known.slice(0, most - 1) : known.slice(0, -1);
  const more = known.length - shown.length;
  return `${shown.join(", ")} and ${more === 1 ? known.at(-1) : `${more} others`}`;
}
