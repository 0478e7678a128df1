import { Hono } from 'hono';
import { carry } from './app.ts';
import type { DohTransaction } from './doh-transaction.ts';

/** `GET /v1/table` for those that the table's own credentials let in, clients too: it stands before what is guarded. */
export const createTableApp = (table: DohTransaction): Hono => new Hono().all('/v1/table', (c) => carry(table, c));
