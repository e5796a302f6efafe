/**
 * Where the files of units are that were made over D-Bus: a unit that has gone has none. systemd.unit(5),
 * "Unit File Load Path". Not there where systemd is another container's.
 */
export const TRANSIENT_UNITS = "/run/systemd/transient";
