import { type Command, endpointMissing, failed, printed } from '../command.ts';
import { lastTable } from '../last-table.ts';
import { type KernelListener, type KernelVips, kernelKey, readKernelVips } from './kernel-listeners.ts';
import { destinationOf, type VipListener, vipListeners } from './listeners.ts';
import { SLOTS } from './slots.ts';

interface Row {
  readonly address: string;
  readonly port: number;
  readonly protocol: string;
  readonly destination: string;
  /** What the kernel sends connections to; `ADDRESS:PORT` and the share where there are several. */
  readonly endpoints: readonly string[];
  readonly packets: number;
  readonly bytes: number;
}

const NOTHING: KernelListener = { packets: 0, octets: 0, targets: new Map() };

function rowsOf(listener: VipListener, kernel: KernelVips): Row[] {
  return [listener.ipv4, listener.ipv6].flatMap((address) => {
    const held = kernel.listeners.get(kernelKey(address, listener.transport, listener.port));
    // A VIP of a family without endpoints is not answered either; one that leads nowhere at all is shown as IPv4.
    if (held === undefined && address === listener.ipv6) return [];
    const { packets, octets, targets } = held ?? NOTHING;
    const endpoints = [...targets].map(([target, slots]) =>
      targets.size === 1 ? target : `${target} (${Math.round((slots / SLOTS) * 100)} %)`,
    );
    const { port } = listener;
    const protocol = listener.transport.toUpperCase();
    return [{ address, port, protocol, destination: destinationOf(listener), endpoints, packets, bytes: octets }];
  });
}

/** Of a row's fields, in their order. */
const HEADINGS = ['ADDRESS', 'PORT', 'PROTOCOL', 'DESTINATION', 'ENDPOINTS', 'PACKETS', 'BYTES'];

function tableOf(rows: readonly Row[]): string {
  const cells = rows.map((row) => ({ ...row, endpoints: row.endpoints.join(', ') || '(refused)' }));
  const lines = [HEADINGS, ...cells.map((row) => Object.values(row).map(String))];
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `meshdoh-shim listeners`: the ports of VIPs as the last table has them, and as the kernel carries them. */
export const listeners: Command = async (settings, io) => {
  if (settings.endpoints.length === 0) return failed(io, endpointMissing(io));
  const table = await lastTable(settings);
  if (table === undefined) {
    io.stderr.write(
      `no table of the mesh in ${settings.stateDir} (as ${process.getuid?.() === 0 ? 'root' : 'this user'}): has the shim run, with these settings?\n`,
    );
    return 1;
  }
  const kernel = await readKernelVips();
  const rows = vipListeners(table).flatMap((listener) => rowsOf(listener, kernel));
  const { refused } = kernel;
  const text = io.options.json
    ? JSON.stringify({ listeners: rows, refused }, undefined, 2)
    : `${tableOf(rows)}\n\nPackets refused, to VIPs that lead nowhere: ${refused}`;
  return printed(io, text);
};
