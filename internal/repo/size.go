package repo

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// sizeWithin is how long loose objects are counted: whoever waits for git's first word shouldn't notice.
const sizeWithin = 20 * time.Millisecond

// Size is about how many bytes a clone gets: those of the packs and the loose objects, as far as these are counted in a moment.
func (r *Repo) Size() uint64 {
	objects := filepath.Join(r.Dir, "objects")
	size := filesSize(filepath.Join(objects, "pack"), ".pack")
	end := time.Now().Add(sizeWithin)
	folders, _ := os.ReadDir(objects) // what can't be read isn't counted
	for _, folder := range folders {
		if name := folder.Name(); len(name) == 2 && isHex(name) && time.Now().Before(end) {
			size += filesSize(filepath.Join(objects, name), "")
		}
	}
	return size
}

// wants and wantsPart match what git says to upload-pack (gitprotocol-v2(5), fetch): that it wants something, and that it has a part of it, or wants no more than a part.
var (
	wants     = regexp.MustCompile(`[0-9a-f]{4}want `)
	wantsPart = regexp.MustCompile(`[0-9a-f]{4}(have |shallow |deepen |deepen-since |deepen-not |filter )`)
)

// Wants tells whether git wants anything in what it says to upload-pack, and whether there is a sign that it wants less than [Repo.Size].
func Wants(said []byte) (something, part bool) { return wants.Match(said), wantsPart.Match(said) }

func isHex(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil
}

// filesSize adds up the files of a folder whose names end so. One that can't be read, or is gone by now, isn't counted.
func filesSize(dir, suffix string) (size uint64) {
	files, _ := os.ReadDir(dir)
	for _, file := range files {
		var info fs.FileInfo
		var err error
		if strings.HasSuffix(file.Name(), suffix) {
			if info, err = file.Info(); err == nil {
				size += uint64(max(0, info.Size()))
			}
		}
	}
	return size
}

// Empty reports whether there is nothing yet that a fetch could build on.
func (r *Repo) Empty(ctx context.Context) (bool, error) {
	out, err := r.git(ctx, nil, "for-each-ref", "--count=1")
	return out == "", err
}

var errNoPush = errors.New("not what git push says")

// PushSize is about how many bytes a push sends: advertised is what receive-pack said first, and commands what git answered; what follows them doesn't matter. It takes
// a while where there is much, and git 2.31.
func (r *Repo) PushSize(ctx context.Context, advertised, commands []byte) (int64, error) {
	theirs, err := readAdvertisement(bytes.NewReader(advertised))
	if err != nil {
		return 0, err
	}
	ids, err := newValues(commands)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	for _, ref := range theirs.refs {
		if !isZero(ref.id) {
			ids = append(ids, "^"+ref.id)
		}
	}
	// With a value for --missing nothing is fetched into a partial clone.
	out, err := r.git(ctx, strings.NewReader(strings.Join(ids, "\n")+"\n"), "rev-list", "--objects", "--disk-usage", "--use-bitmap-index",
		"--missing=allow-any", "--ignore-missing", "--stdin")
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(out), 10, 64)
}

// newValues reads what refs are to be, from the commands to receive-pack (gitprotocol-pack(5), Reference Update Request).
func newValues(commands []byte) (ids []string, err error) {
	scanner := pktline.NewScanner(bytes.NewReader(commands))
	for scanner.Scan() && len(scanner.Bytes()) > 0 {
		line, _, _ := strings.Cut(string(scanner.Bytes()), "\x00") // capabilities
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "shallow":
		case len(fields) < 3 || !isObjectID(fields[1]):
			return nil, fmt.Errorf("%w: %.80q", errNoPush, line)
		case !isZero(fields[1]):
			ids = append(ids, fields[1])
		}
	}
	return ids, scanner.Err()
}
