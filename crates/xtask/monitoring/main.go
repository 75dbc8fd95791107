// Reads dashboards as Grafana's own types have them, strictly: an unknown field is a fault, and so is one that is missing.
//
//	go run . FILE...
package main

import (
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	faults := 0
	for _, name := range os.Args[1:] {
		text, err := os.ReadFile(name)
		if err == nil {
			err = new(dashboard.Dashboard).UnmarshalJSONStrict(text)
		}
		// It returns an empty list of faults where there is none.
		if err != nil && err.Error() != "" {
			faults++
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		}
	}
	if faults > 0 {
		os.Exit(1)
	}
	fmt.Printf("%d dashboards are as Grafana's schema has them\n", len(os.Args)-1)
}
