/** Tables as every operator's command prints them: padded, never cut, the header only before a first row. */
export interface Column<Row> {
  readonly header: string;
  readonly width: number;
  readonly align: 'left' | 'right';
  readonly value: (row: Row) => string;
}

/** @returns prints a row, and before the first one the header. */
export function tablePrinter<Row>(
  columns: readonly Column<Row>[],
  print: (line: string) => void,
  { hasHeader = true }: { readonly hasHeader?: boolean } = {},
): (row: Row) => void {
  const line = (text: (column: Column<Row>) => string) =>
    columns.map((column) => padded(text(column), column)).join(' ');
  let isFirst = true;
  return (row) => {
    if (isFirst && hasHeader) print(line(({ header }) => header));
    isFirst = false;
    print(line(({ value }) => value(row)));
  };
}

function padded(text: string, { width, align }: Pick<Column<never>, 'width' | 'align'>): string {
  return align === 'left' ? text.padEnd(width) : text.padStart(width);
}
