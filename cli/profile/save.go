package profile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"jitney/cli/exit"
)

// most bounds what is read: a file of people, not of programs.
const most = 4 << 20

// Load reads a configuration file; one that is missing is empty.
func Load(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && (!info.Mode().IsRegular() || info.Size() > most) {
		err = errors.New("not a configuration file")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(name)
	}
	if err != nil {
		return nil, &exit.Error{Code: exit.Usage, Text: fmt.Sprintf("The file %s cannot be read.", name), Hint: "Check AWS_CONFIG_FILE and the rights of the file.", Err: err}
	}
	return data, nil
}

// Save replaces a configuration file as a whole and keeps its mode; a new one
// is 0600, in directories that are 0700. Where the name is a link, the file
// behind it is replaced.
func Save(name string, data []byte) (err error) {
	defer func() {
		if err != nil {
			err = &exit.Error{Code: exit.Failed, Text: fmt.Sprintf("The file %s cannot be written.", name), Hint: "Check the rights of the file and its directory.", Err: err}
		}
	}()
	if real, err := filepath.EvalSymlinks(name); err == nil {
		name = real
	} else if to, err := os.Readlink(name); err == nil { // a link to what is not there yet
		if !filepath.IsAbs(to) {
			to = filepath.Join(filepath.Dir(name), to)
		}
		name = to
	}
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	temp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+"-"+rand.Text())
	file, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		_ = os.Remove(temp)
	}
	return err
}
