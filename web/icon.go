package web

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"strings"
)

//go:embed icons/*.svg
var iconFiles embed.FS

// readIcons makes each vendored icon ready to be put into a page: hidden from
// screen readers, because the word beside it says the same.
func readIcons() (map[string]template.HTML, error) {
	files, err := fs.Glob(iconFiles, "icons/*.svg")
	if err != nil {
		return nil, fmt.Errorf("list icons: %w", err)
	}
	icons := make(map[string]template.HTML, len(files))
	for _, f := range files {
		b, err := iconFiles.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read icon: %w", err)
		}
		_, svg, _ := strings.Cut(string(b), "<svg") // the licence comment before it is in VENDORED.md
		_, shapes, _ := strings.Cut(svg, ">")
		icons[strings.TrimSuffix(path.Base(f), ".svg")] = template.HTML(`<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">` + strings.Join(strings.Fields(shapes), " "))
	}
	return icons, nil
}
