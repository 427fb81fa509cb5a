package store

import "strconv"

// Marks writes ($from,…) for n values. A statement that uses it has no other
// parameters before or after, so that SQLite can be given plain question marks:
// it looks up every $n by name, in time that grows with the square of their
// number.
func (db *DB) Marks(from, n int) string {
	b := make([]byte, 0, n*5+2)
	b = append(b, '(')
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		if db.Engine == SQLite {
			b = append(b, '?')
			continue
		}
		b = append(b, '$')
		b = strconv.AppendInt(b, int64(from+i), 10)
	}
	return string(append(b, ')'))
}

// Among gives what comes after IN to look among one value or more: their marks, and the
// values, the last one again and again until there is a power of two of them. So
// there are few statements, and databases keep what they prepared.
func Among[T any](db *DB, in []T) (marks string, args []any) {
	n := 1
	for n < len(in) {
		n *= 2
	}
	args = make([]any, n)
	for i := range args {
		args[i] = in[min(i, len(in)-1)]
	}
	return db.Marks(1, n), args
}
