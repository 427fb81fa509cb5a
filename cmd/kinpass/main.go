// Command kinpass is the whole of Kinpass in one program; try "kinpass demo".
package main

import (
	"os"

	"github.com/kinpass/kinpass/cmd/internal/cli"
	"github.com/kinpass/kinpass/internal/legacy/aries"
)

func main() {
	cli.Aries = aries.Verify
	os.Exit(cli.Main(os.Args[1:]))
}
