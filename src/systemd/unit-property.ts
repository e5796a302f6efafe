/** D-Bus values as data: what a unit's property is to be, before anything is sent. */

/** In the shape of its signature: "t" and "x" as bigint, "ay" as bytes, a dictionary as pairs, "v" as a TypedValue. */
export type DbusValue =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | TypedValue
  | readonly DbusValue[];

/** dbus-specification, "Type System". */
export interface TypedValue {
  readonly signature: string;
  readonly value: DbusValue;
}

/** org.freedesktop.systemd1(5): a property as StartTransientUnit and SetUnitProperties take it. */
export interface UnitProperty extends TypedValue {
  readonly name: string;
}
