/** What is made of the rounds of a measurement. @module */

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value that this share of them lies below; between two of them, what lies between in proportion. */
function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * share;
  const below = sorted[Math.floor(place)] ?? Number.NaN;
  const above = sorted[Math.ceil(place)] ?? Number.NaN;
  return below + (above - below) * (place % 1);
}

/** How far the middle half of the rounds lies apart, as a share of the median. */
export function spread(values: readonly number[]): number {
  return (quantile(values, 0.75) - quantile(values, 0.25)) / median(values);
}

/** The median of the ratios of the rounds: what slows the machine in one of them slows both. */
export function pairwise<Field extends string>(
  ours: readonly Readonly<Record<Field, number>>[],
  theirs: readonly Readonly<Record<Field, number>>[],
  field: Field,
): number {
  return median(ours.map((round, index) => round[field] / (theirs[index]?.[field] ?? Number.NaN)));
}

/**
 * Measures all subjects in each round, in turn and every other round in reverse, so that what changes on
 * the machine meanwhile meets all of them alike: those best that stand side by side.
 */
export async function interleaved<Subject, Result>(
  subjects: readonly Subject[],
  rounds: number,
  measure: (subject: Subject) => Promise<Result>,
): Promise<Map<Subject, Result[]>> {
  const results = new Map<Subject, Result[]>(subjects.map((subject) => [subject, []]));
  for (let round = 0; round < rounds; round++) {
    for (const subject of round % 2 === 0 ? subjects : subjects.toReversed()) {
      results.get(subject)?.push(await measure(subject));
    }
  }
  return results;
}

/** A number to three digits, as a table shows it. */
export function brief(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(3)));
}
