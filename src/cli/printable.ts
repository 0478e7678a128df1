/** Control characters except the line feed, and what reorders the text around it. */
const COMMANDS = /(?!\n)[\p{Cc}\p{Bidi_Control}]/gu;

/** Text from elsewhere, without what a terminal would take for a command. */
export const printable = (text: string): string =>
  text.replace(COMMANDS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
