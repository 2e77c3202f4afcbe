// Command gen writes docs/requirements.md; "go generate" runs it in the directory of package requirements.
package main

import (
	"log"
	"os"
	"path/filepath"

	"tunstack/test/requirements"
)

const root = "../.."

func main() {
	log.SetFlags(0)
	a, err := requirements.Read(os.DirFS(root))
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, requirements.DocumentPath), a.Document(), 0o644); err != nil {
		log.Fatal(err)
	}
}
