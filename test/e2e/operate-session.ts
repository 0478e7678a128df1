/** A command of a document, and what the document says that it prints. */
export interface Step {
  /** As it is typed, with the lines of its here-document. */
  readonly command: string;
  readonly output: string;
  /** In the document. */
  readonly line: number;
}

const HERE_DOCUMENT = /<<'?(\w+)'?/;

/** The steps of its `console` blocks, in order: a line that begins with `$ ` is typed, the others are printed. */
export function stepsOf(markdown: string): Step[] {
  const steps: { command: string; output: string; line: number }[] = [];
  let inBlock = false;
  let end: string | undefined;
  for (const [index, text] of markdown.split('\n').entries()) {
    const step = steps.at(-1);
    if (text.startsWith('```')) inBlock = text === '```console';
    else if (!inBlock) continue;
    else if (end !== undefined && step) {
      step.command += `\n${text}`;
      if (text === end) end = undefined;
    } else if (text.startsWith('$ ')) {
      steps.push({ command: text.slice(2), output: '', line: index + 1 });
      end = HERE_DOCUMENT.exec(text)?.[1];
    } else if (step) step.output += `${text}\n`;
  }
  return steps;
}

/** What differs from one run to the next, and how wide columns are for it. */
const VARIABLE: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, 'TIME'],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UID'],
  [/\b[\w-]{43}\b/g, 'TOKEN'],
  [/\b(?=[0-9a-f]*\d)[0-9a-f]{12}\b/g, 'ID'],
  [/\bresourceVersion: "\d+"/g, 'resourceVersion: VERSION'],
  [/\b\d+(?:\.\d+)? ms\b/g, 'DURATION'],
  [/looked at \d+ items/g, 'looked at COUNT items'],
  [/"elapsedMs":\d+/g, '"elapsedMs":DURATION'],
  [/(?<![\w.])\d+(?:s|m|m\d+s)(?![\w.])/g, 'AGE'],
  [/[ \t]+/g, ' '],
  [/ $/gm, ''],
];

export const normalized = (text: string): string =>
  VARIABLE.reduce((changed, [pattern, name]) => changed.replaceAll(pattern, name), text).trim();

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Matches what a step may print; a line `…` stands for any lines. */
export const pattern = (output: string): RegExp =>
  new RegExp(
    `^${normalized(output)
      .split('\n')
      .map((line) => (line === '…' ? '[\\s\\S]*' : escaped(line)))
      .join('\n')
      .replaceAll('\n[\\s\\S]*', '(?:\n[\\s\\S]*)?')}$`,
  );
