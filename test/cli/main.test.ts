import { execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { program } from '../../src/cli/main.ts';
import { serviceEntry } from '../support/registry.ts';
import { openTestServer, type TestServer } from './test-server.ts';

const LAUNCH = join(import.meta.dirname, '../../src/cli/launch.mjs');

interface Ended {
  readonly code: number | string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

async function meshdoh(words: readonly string[], environment: Record<string, string> = {}): Promise<Ended> {
  const options = { env: { PATH: process.env.PATH, ...environment }, cwd: '/' };
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [LAUNCH, ...words], options)) };
  } catch (error) {
    const { code, stdout, stderr } = error as Ended;
    return { code, stdout, stderr };
  }
}

describe('the words of a command', () => {
  it.each<[string[], number, string]>([
    [['aply'], 1, "error: unknown command 'aply'\n(Did you mean apply?)\n(--help shows what there is)\n"],
    [
      ['get', '--outptu', 'json'],
      1,
      "error: unknown option '--outptu'\n(Did you mean --output?)\n(meshdoh get --help shows what there is)\n",
    ],
    [
      ['get', '-o', 'xml'],
      1,
      "error: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are wide, name, json, yaml.\n(meshdoh get --help shows what there is)\n",
    ],
    [
      ['diff'],
      2,
      "error: required option '-f, --filename <file...>' not specified\n(meshdoh diff --help shows what there is)\n",
    ],
  ])('%j that are not understood end with %i and a hint', async (words, code, stderr) => {
    expect(await meshdoh(words)).toEqual({ code, stdout: '', stderr });
  });

  it('--help and --version succeed', async () => {
    expect(await meshdoh(['--version'])).toMatchObject({ code: 0, stderr: '' });
    expect(await meshdoh(['diff', '--help'])).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('the help', () => {
  const verbs = program().commands.filter((command) => !command.name().startsWith('__'));

  /** Of a verb, and of what is below it. */
  function helpOf(command: Command): string {
    let text = '';
    command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
    return [text, ...command.commands.map(helpOf)].join('\n');
  }

  const optionsOf = (command: Command): string[] => [
    ...command.options.flatMap(({ long, short }) => [long ?? '', short ?? '']),
    ...command.commands.flatMap(optionsOf),
  ];

  const examplesOf = (command: Command): string[] =>
    helpOf(command)
      .split('\n')
      .filter((line) => line.startsWith('  ') && line.includes(`meshdoh ${command.name()}`));

  it.each(verbs.map((command) => [command.name(), command] as const))('of %s has examples', (_, command) => {
    expect(helpOf(command)).toMatch(/^Examples:$/m);
    expect(examplesOf(command)).not.toEqual([]);
  });

  it.each(verbs.map((command) => [command.name(), command] as const))(
    'of %s has examples whose options it has',
    (_, command) => {
      const known = new Set(optionsOf(command));
      for (const example of examplesOf(command)) {
        const [, words = ''] = new RegExp(`meshdoh ${command.name()}([^|&>)]*)`).exec(example) ?? [];
        const options = [...words.matchAll(/(?<= )--?[a-zA-Z][\w-]*/g)].map(([option]) => option);
        expect(
          options.filter((option) => !known.has(option)),
          example,
        ).toEqual([]);
      }
    },
  );
});

describe('a pipe', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await openTestServer();
    const hosts = Array.from({ length: 200 }, (_, index) => `host-${index}.a-rather-long-name-of-a-zone.internal`);
    for (let index = 0; index < 12; index++) {
      const own = hosts.map((host) => `${index}-${host}`);
      await server.registry.apply(serviceEntry(`entry-${index}`, { hosts: own, resolution: 'NONE' }));
    }
  });
  afterAll(() => server.close());

  it('whose reader has seen enough ends the command in silence', async () => {
    const child = spawn('sh', ['-c', `"${process.execPath}" "${LAUNCH}" get se -o json | head -1`], {
      env: { PATH: process.env.PATH, MESHDOH_SERVER: server.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', err: '' };
    child.stdout.on('data', (text) => (said.out += text));
    child.stderr.on('data', (text) => (said.err += text));
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once('close', () => resolve());
    await promise;
    expect(said).toEqual({ out: '{\n', err: '' });
  });
});

describe('Ctrl-C', () => {
  it('ends a command that goes on, without a word', async () => {
    const server = await openTestServer();
    await server.registry.apply(serviceEntry('auto', { hosts: ['auto.internal'] }));
    const child = spawn(process.execPath, [LAUNCH, 'get', 'se', '--watch'], {
      env: { PATH: process.env.PATH, MESHDOH_SERVER: server.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let err = '';
    child.stderr.on('data', (text) => (err += text));
    const { promise: shown, resolve: show } = Promise.withResolvers<void>();
    child.stdout.once('data', () => show());
    await shown;
    const { promise, resolve } = Promise.withResolvers<NodeJS.Signals | null>();
    child.once('exit', (_, signal) => resolve(signal));
    child.kill('SIGINT');
    expect(await promise).toBe('SIGINT');
    expect(err).toBe('');
    await server.close();
  });
});
