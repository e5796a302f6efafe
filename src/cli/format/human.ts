/**
 * Sizes and times as people read them, in podman's words.
 */
const DECIMAL_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** "4.26MB": four digits at most, in 1000s. */
export function humanSize(bytes: number, separator = ""): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < DECIMAL_UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = Number(value.toPrecision(value >= 1000 ? 5 : 4));
  return `${digits}${separator}${DECIMAL_UNITS[unit]}`;
}

const HOUR = 3600;
const DAY = 24 * HOUR;

/** "5 minutes", "About an hour", "3 weeks". */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 1) return "Less than a second";
  if (seconds < 60) return counted(seconds, "second");
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return counted(minutes, "minute");
  const hours = Math.round(seconds / HOUR);
  if (hours === 1) return "About an hour";
  if (hours < 48) return counted(hours, "hour");
  const days = Math.floor(seconds / DAY);
  if (days < 14) return counted(days, "day");
  if (days < 60) return counted(Math.floor(days / 7), "week");
  if (days < 730) return counted(Math.floor(days / 30), "month");
  return counted(Math.floor(days / 365), "year");
}

function counted(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** "5 minutes ago". */
export function humanAgo(time: Date, now: Date): string {
  return `${humanDuration(now.getTime() - time.getTime())} ago`;
}

/** "2026-01-31 12:00:00.5 +0000 UTC", as Go prints a time. */
export function goTime(time: Date): string {
  const [date, clock = ""] = time.toISOString().split("T");
  return `${date} ${clock.replace(/\.?0*Z$/, "")} +0000 UTC`;
}

/** Elapsed time in ps(1)'s form: "01:02", "3:01:02", "2-03:01:02". */
export function psTime(seconds: number): string {
  const whole = Math.floor(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  const days = Math.floor(whole / DAY);
  const hours = Math.floor((whole % DAY) / HOUR);
  const rest = `${pad(Math.floor((whole % HOUR) / 60))}:${pad(whole % 60)}`;
  if (days > 0) return `${days}-${pad(hours)}:${rest}`;
  return hours > 0 ? `${pad(hours)}:${rest}` : rest;
}

/** The first twelve digits of an id. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

/** Cut to `length` characters and "..." where it is longer. */
export function truncated(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length)}...` : text;
}
