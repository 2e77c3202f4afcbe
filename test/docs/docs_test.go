// Package docs tests the references in the documentation.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const root = "../.."

// pages are the files of prose. CHANGELOG.md is excluded, because it also names removed things.
func pages(t *testing.T) (list []string) {
	t.Helper()
	for _, pattern := range []string{"README.md", "CONTRIBUTING.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		list = append(list, found...)
	}
	require.NoError(t, filepath.WalkDir(filepath.Join(root, "docs"), func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			list = append(list, path)
		}
		return err
	}))
	require.Greater(t, len(list), 10)
	return list
}

// Pages name Go files by their path from the module's root, and link to pages and pictures by paths from their own folder.
func TestReferencesExist(t *testing.T) {
	source := regexp.MustCompile(`\b(?:[a-z0-9_]+/)+[a-z0-9_]+\.(?:go|s)\b`)
	link := regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`)
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, name := range source.FindAllString(link.ReplaceAllString(string(text), ""), -1) {
			require.FileExists(t, filepath.Join(root, name), page)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(page), m[1]))
			require.NoError(t, err, page)
		}
	}
}
