#!/usr/bin/env node
// Plain JavaScript, because a Node that cannot run the TypeScript sources must still say so.
const NEEDED = [22, 18];
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
  process.stderr.write(
    `meshdoh needs Node ${NEEDED.join('.')} or later, and this is ${process.versions.node}.\n` +
      'Run it by "npm start" or "npm run meshdoh", after "npm ci" has brought a Node of its own\n' +
      '(an optional dependency: not with --omit=optional), or install a newer Node.\n',
  );
  process.exit(1);
}
const { main } = await import('./main.ts');
await main(process.argv);
