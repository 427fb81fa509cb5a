// Command kinpass is the whole of Kinpass in one program; try "kinpass demo".
package main

import (
	"os"

	"github.com/kinpass/kinpass/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
