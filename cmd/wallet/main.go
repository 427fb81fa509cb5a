// Command wallet runs the wallet service: "kinpass serve wallet" under its own name.
package main

import (
	"os"

	"github.com/kinpass/kinpass/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(append([]string{"serve", "wallet"}, os.Args[1:]...))) }
