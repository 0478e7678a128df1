/** C0 and C1 controls except the line feed, and what reorders the text around it. */
const COMMANDS = /[\0-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text from elsewhere, without what a terminal would take for a command. */
export const printable = (text: string): string =>
  text.replace(COMMANDS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
