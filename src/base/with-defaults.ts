/**
 * `defaults` overlaid with `options`. An option that is `undefined` keeps its default, so that callers pass on what they
 * were given without checking it first.
 */
export function withDefaults<D extends object, O extends object>(defaults: D, options?: O): Omit<O, keyof D> & D {
  const given = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) } as Omit<O, keyof D> & D;
}
