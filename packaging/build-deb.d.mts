/** Returns the path of the package. */
export function buildDeb(outFolder?: string, architecture?: string): Promise<string>;
