package repo

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// maxHelloPackets bounds what either side of the proc-receive protocol says of itself.
const maxHelloPackets = 16

// readHello reads the other side's version, "" if it names none, and its features.
func readHello(in *pktline.Scanner) (version string, features []string, err error) {
	lines, err := readSection(in, maxHelloPackets)
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, "version="); ok {
			number, list, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), "\x00")
			version, features = number, strings.Fields(list)
		}
	}
	return version, features, err
}

// writeHello says our version and features.
func writeHello(w io.Writer, features []string) error {
	hello := "version=1"
	if len(features) > 0 {
		hello += "\x00" + strings.Join(features, " ")
	}
	return writeSection(w, []string{hello + "\n"})
}

// readSection reads packets up to the next flush-pkt, at most limit of them.
// Beside an error it returns those that came before it.
func readSection(in *pktline.Scanner, limit int) (lines []string, err error) {
	for {
		more, line := in.Scan(), ""
		switch {
		case more && len(in.Bytes()) == 0:
			return lines, nil
		case more:
			line = string(in.Bytes())
		case errors.Is(in.Err(), pktline.ErrInvalidPktLen): // an empty packet: the scanner knows none, and nonsense ends by itself
		default:
			return lines, errors.Join(in.Err(), io.ErrUnexpectedEOF)
		}
		if len(lines) == limit {
			return lines, fmt.Errorf("%w: more than %d packets", errProcReceive, limit)
		}
		lines = append(lines, line)
	}
}

// writeSection writes packets and a flush-pkt.
func writeSection(w io.Writer, lines []string) error {
	out := bufio.NewWriter(w)
	enc := pktline.NewEncoder(out)
	for _, line := range lines {
		if line == "" { // to the encoder that is a flush-pkt
			_, _ = out.WriteString("0004") // an error sticks to out
		} else if err := enc.EncodeString(line); err != nil {
			return err
		}
	}
	_ = enc.Flush()
	return out.Flush()
}
