package repo

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"git-remote-xmpp/internal/pushcmd"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// ErrAdvertisement says that what a peer sent is no advertisement of refs.
var ErrAdvertisement = errors.New("bad ref advertisement")

// maxAdvertisementBytes bounds the advertisement, which is held in memory: some
// 300,000 refs.
const maxAdvertisementBytes = 24 << 20

// advertisement is what receive-pack says first (gitprotocol-pack(5), Reference Discovery).
type advertisement struct {
	version []byte          // the packet `version 1`; nil in version 0
	refs    []advertisedRef // the first holds the capabilities, too
	shallow [][]byte
	refusal []byte // an ERR packet: nothing follows
}

// advertisedRef is one packet, and where in it the name stands.
type advertisedRef struct {
	packet []byte
	id     string
	name   string
}

// RewriteAdvertisement copies receive-pack's advertisement from in to out, up
// to and including its flush-pkt, and reads not one byte more. A branch whose
// value isn't what is going to be pushed there nor an ancestor of it is shown as if it did
// not exist, with its value as a `.have`: so git never refuses to push to it, and
// knows all the same what needn't be sent. Where the user asked for force, a lease or a
// deletion git is shown the truth, and does as it always does. The pusher's own fallback refs are shown as `.have` only, unless
// it names one: a --mirror that deletes what it doesn't know would race with the other side's tidying.
//
// ask is what git push was asked for; nil if that isn't known. remote is the
// remote's name or URL. An ERR packet is passed on and ends the copy without an
// error. in is to be closed by its owner if ctx ends.
func (r *Repo) RewriteAdvertisement(ctx context.Context, ask *pushcmd.Push, remote string, in io.Reader, out io.Writer) error {
	adv, err := readAdvertisement(in)
	if err != nil {
		return err
	}
	diverged, err := r.diverged(ctx, adv.branches(), ask, remote)
	if err != nil {
		return fmt.Errorf("compare branches: %w", err)
	}
	if ask != nil && !slices.ContainsFunc(ask.Refspecs, func(spec string) bool { return strings.Contains(spec, syncedPrefix) }) {
		adv.haveOnly(syncedPrefix)
	}
	return adv.write(out, diverged)
}

// readAdvertisement reads and checks an advertisement of protocol version 0 or 1.
func readAdvertisement(in io.Reader) (*advertisement, error) {
	limited := &io.LimitedReader{R: in, N: maxAdvertisementBytes}
	scanner := pktline.NewScanner(limited)
	adv := new(advertisement)
	for scanner.Scan() {
		if len(scanner.Bytes()) == 0 {
			if len(adv.refs) == 0 {
				return nil, fmt.Errorf("%w: it is empty", ErrAdvertisement)
			}
			return adv, nil
		}
		if err := adv.add(bytes.Clone(scanner.Bytes())); err != nil {
			return nil, err
		}
	}
	var refusal *pktline.ErrorLine
	switch err := scanner.Err(); {
	case errors.As(err, &refusal):
		adv.refusal = bytes.Clone(scanner.Bytes())
		return adv, nil
	case limited.N == 0:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrAdvertisement, maxAdvertisementBytes)
	case errors.Is(err, pktline.ErrInvalidPktLen):
		return nil, fmt.Errorf("%w: %w", ErrAdvertisement, err)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, fmt.Errorf("read the ref advertisement: %w", err)
	}
	return nil, fmt.Errorf("read the ref advertisement: %w", io.ErrUnexpectedEOF)
}

// add takes in one packet.
func (a *advertisement) add(packet []byte) error {
	line := strings.TrimSuffix(string(packet), "\n")
	if v, ok := strings.CutPrefix(line, "version "); ok && a.version == nil && len(a.refs) == 0 {
		if v != "1" {
			return fmt.Errorf("%w: protocol version %.8q", ErrAdvertisement, v)
		}
		a.version = packet
		return nil
	}
	if id, ok := strings.CutPrefix(line, "shallow "); ok && len(a.refs) > 0 {
		if !isObjectID(id) {
			return fmt.Errorf("%w: shallow line", ErrAdvertisement)
		}
		a.shallow = append(a.shallow, packet)
		return nil
	}
	if len(a.refs) == 0 {
		line, _, _ = strings.Cut(line, "\x00") // capabilities
	}
	id, name, ok := strings.Cut(line, " ")
	if !ok || !isObjectID(id) || name == "" || strings.ContainsAny(name, "\x00\n") || len(a.shallow) > 0 {
		return fmt.Errorf("%w: line %d", ErrAdvertisement, len(a.refs)+1)
	}
	if len(a.refs) > 0 && len(id) != len(a.refs[0].id) {
		return fmt.Errorf("%w: object ids of different lengths", ErrAdvertisement)
	}
	a.refs = append(a.refs, advertisedRef{packet, id, name})
	return nil
}

// branches returns the branches and their values.
func (a *advertisement) branches() map[string]string {
	branches := make(map[string]string)
	for _, ref := range a.refs {
		if strings.HasPrefix(ref.name, headsPrefix) && !isZero(ref.id) {
			branches[ref.name] = ref.id
		}
	}
	return branches
}

// haveOnly takes the names of refs away, but not what they say about objects.
func (a *advertisement) haveOnly(prefix string) {
	for i, ref := range a.refs {
		if strings.HasPrefix(ref.name, prefix) {
			a.refs[i].name = ".have"
			a.refs[i].packet = bytes.Replace(ref.packet, []byte(" "+ref.name), []byte(" .have"), 1)
		}
	}
}

// write writes the advertisement with the refs in diverged shown as missing.
func (a *advertisement) write(w io.Writer, diverged map[string]bool) error {
	out := bufio.NewWriter(w)
	enc := pktline.NewEncoder(out) // its errors stick to out
	if a.version != nil {
		_ = enc.Encode(a.version)
	}
	var have []string
	seen := make(map[string]bool)
	for _, ref := range a.refs {
		if diverged[ref.name] && !isZero(ref.id) {
			copy(ref.packet, zeroLike(ref.id))
			if !seen[ref.id] {
				seen[ref.id] = true
				have = append(have, ref.id)
			}
		}
		_ = enc.Encode(ref.packet)
	}
	for _, id := range have {
		_ = enc.EncodeString(id + " .have\n")
	}
	_ = enc.Encode(a.shallow...)
	if a.refusal != nil {
		_ = enc.Encode(a.refusal)
	} else {
		_ = enc.Flush()
	}
	return out.Flush()
}

// present returns which of the commits, one id a line, are here. Other than
// cat-file, rev-list doesn't fetch what is missing in a partial clone.
func (r *Repo) present(ctx context.Context, ids string) (map[string]bool, error) {
	present := make(map[string]bool)
	if ids == "" {
		return present, nil
	}
	out, err := r.git(ctx, strings.NewReader(ids), "rev-list", "--no-walk=unsorted",
		"--missing=allow-any", "--ignore-missing", "--stdin")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		present[strings.TrimSpace(line)] = true
	}
	return present, nil
}
