//go:build race

package check

// raced: the race detector makes allocations of its own.
const raced = true
