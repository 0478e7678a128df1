/** What a selector says, or why it says nothing. */
export type SelectorReading<T> =
  | { readonly ok: true; readonly matches: (subject: T) => boolean }
  | { readonly ok: false; readonly problem: string };
