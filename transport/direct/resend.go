package direct

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"sync"
)

const (
	// numberedHeader is what a packet has before it: type, number, tag.
	numberedHeader = 1 + 4 + numberedTag
	numberedTag    = 4
	// tagged is how many of the packet's first bytes the tag is of.
	tagged = aes.BlockSize - 4

	// sentPackets is how many packets are kept to be sent again.
	sentPackets = 2048
	maxResends  = 3 // of one packet
)

// A tagger ties packets to their numbers: nobody but the two ends of a path can say which is which.
type tagger struct{ ours, theirs cipher.Block }

func newTagger(s sealer) (tagger, error) {
	block := func(controlling byte) (cipher.Block, error) {
		key := sha256.Sum256(append([]byte{controlling}, append([]byte("git-remote-xmpp number\x00"), s.key...)...))
		return aes.NewCipher(key[:aes.BlockSize])
	}
	first, err := block(1)
	if err != nil {
		return tagger{}, err
	}
	second, err := block(0)
	if s.controlling {
		return tagger{first, second}, err
	}
	return tagger{second, first}, err
}

// tag fills out with the tag of a number and a packet.
func tag(block cipher.Block, number, packet []byte, out *[aes.BlockSize]byte) []byte {
	clear(out[:])
	copy(out[:4], number)
	copy(out[4:], packet[:min(tagged, len(packet))])
	block.Encrypt(out[:], out[:])
	return out[:numberedTag]
}

// open returns the number of a numbered packet of the other end's, and the packet.
func (t tagger) open(b []byte) (number uint32, packet []byte, ok bool) {
	var sum [aes.BlockSize]byte
	if len(b) <= numberedHeader || subtle.ConstantTimeCompare(tag(t.theirs, b[1:5], b[numberedHeader:], &sum), b[5:numberedHeader]) != 1 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(b[1:]), b[numberedHeader:], true
}

// A sender numbers packets and keeps the latest, for those that get lost.
type sender struct {
	mu    sync.Mutex
	last  uint32 // number of the latest
	slots [sentPackets]sentPacket
}

type sentPacket struct {
	number  uint32
	resends int
	data    []byte // the datagram
}

// send numbers a packet and hands the datagram to write, which must not keep it.
func (s *sender) send(t tagger, packet []byte, write func([]byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	slot := &s.slots[s.last%sentPackets]
	slot.number, slot.resends = s.last, 0
	b := append(slot.data[:0], frameNumbered)
	b = binary.BigEndian.AppendUint32(b, s.last)
	var sum [aes.BlockSize]byte
	b = append(b, tag(t.ours, b[1:5], packet, &sum)...)
	slot.data = append(b, packet...)
	write(slot.data)
}

// resend hands a packet to write once more, if it is still there. It does so twice, as it would come too late if it were lost again.
func (s *sender) resend(number uint32, write func([]byte)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot := &s.slots[number%sentPackets]; slot.number == number && len(slot.data) > 0 && slot.resends < maxResends {
		slot.resends++
		for range 2 {
			write(slot.data)
		}
	}
}

// latest is the number of the latest packet.
func (s *sender) latest() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// forget gives the memory back.
func (s *sender) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.slots {
		s.slots[i].data = nil
	}
}
