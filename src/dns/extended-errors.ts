import { asBuffer, uint16 } from './octets.ts';
import { EdnsOption, OPTION_HEADER_OCTETS } from './query.ts';
import { isOpt, optionsOf, recordsOf } from './walk.ts';

/** The info codes of the extended errors in a message (RFC 8914 section 2); none where it is malformed. */
export function extendedErrorCodes(wire: Uint8Array): number[] {
  const opt = recordsOf(wire)?.find(isOpt);
  const options = opt === undefined ? [] : optionsOf(asBuffer(wire), opt);
  return options.flatMap(({ code, octets }) =>
    code === EdnsOption.extendedError && octets.length >= OPTION_HEADER_OCTETS + 2
      ? [uint16(octets, OPTION_HEADER_OCTETS)]
      : [],
  );
}
