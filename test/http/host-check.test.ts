import { expect, it } from 'vitest';
import { namesLoopback } from '../../src/http/host-check.ts';

it.each([
  ['localhost', true],
  ['LocalHost:8053', true],
  ['127.0.0.1', true],
  ['127.8.9.10:1', true],
  ['[::1]', true],
  ['[::1]:443', true],
  ['[::ffff:127.0.0.1]:443', true],
  ['192.0.2.1', false],
  ['[2001:db8::1]:443', false],
  ['rebound.example', false],
  ['localhost.example', false],
  ['127.0.0.1.example', false],
  ['::1', false],
  ['localhost:80:80', false],
  ['localhost@rebound.example', false],
  ['', false],
  [undefined, false],
])('Host %s names loopback: %s', (host, expected) => {
  expect(namesLoopback(host)).toBe(expected);
});
