import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 make every object in the young generation. By default it learns which places of the code make objects that
 * last, and makes those in the old generation at once. It learns that of the streams of HTTP/2 while a process warms
 * up; the old generation then fills with queries that are over, and every few seconds all others wait some 50 ms for
 * its collection.
 *
 * For a process that answers queries, before the first of them.
 */
export function keepObjectsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}
