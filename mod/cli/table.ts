/**
 * Aligned tables.
 *
 * @module
 */
import { type Colour, coloured, plain } from "./output.ts";

/** A cell: text, with a colour where it matters. */
export type Cell = string | { readonly text: string; readonly colour: Colour | null };

/** How a table is drawn. */
export interface TableStyle {
  readonly colours: boolean;
  /** Lines are cut here; null = never. */
  readonly columns: number | null;
}

const GAP = "  ";

function textOf(cell: Cell): string {
  return plain(typeof cell === "string" ? cell : cell.text);
}

/** A table as lines, with a head. Columns that are empty in every row are left out. */
export function table(
  head: readonly string[],
  rows: readonly (readonly Cell[])[],
  style: TableStyle,
): string[] {
  const used = head.map((_, i) => rows.some((row) => textOf(row[i]!) !== ""));
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => textOf(row[i]!).length)));
  const line = (cells: readonly Cell[]): string => {
    const shown = cells.map((cell, i) => ({ cell, width: widths[i]! })).filter((_, i) => used[i]);
    let left = style.columns ?? Infinity;
    let text = "";
    for (const [i, { cell, width }] of shown.entries()) {
      if (left <= 0) break;
      const content = cut(i === shown.length - 1 ? textOf(cell) : textOf(cell).padEnd(width), left);
      text += coloured(content, typeof cell === "string" ? null : cell.colour, style.colours);
      left -= content.length + GAP.length;
      if (i < shown.length - 1 && left > 0) text += GAP;
    }
    return style.colours ? text : text.trimEnd();
  };
  return [line(head.map((text) => ({ text, colour: "dim" }))), ...rows.map(line)];
}

/** Text of at most `width` columns, with an ellipsis where something is missing. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** Text in lines of at most `width` columns, cut between words. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of plain(text).split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** As {@link wrap}, after a mark that the first line begins with; no line is longer than the screen. */
export function marked(mark: string, text: string, columns: number | null): string[] {
  if (columns === null) return [mark + plain(text)];
  const indent = " ".repeat(mark.length);
  return wrap(text, columns - mark.length).map((line, i) => cut((i === 0 ? mark : indent) + line, columns));
}
