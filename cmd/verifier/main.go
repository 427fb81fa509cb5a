// Command verifier runs the verifier service: "kinpass serve verifier" under its own name.
package main

import (
	"os"

	"github.com/kinpass/kinpass/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(append([]string{"serve", "verifier"}, os.Args[1:]...))) }
