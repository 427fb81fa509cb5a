package status

import (
	"crypto/aes"
	"encoding/binary"
	"math/bits"
)

// rounds of the Feistel network; as many as NIST SP 800-38G takes for FF1,
// whose domains are as small as ours.
const rounds = 10

// Permute gives the index of the counter-th entry of a list: for one key and
// one list a bijection of [0, size) onto itself that looks random without the
// key. The key must be used for nothing else. size is 1 to MaxSize and counter
// is in [0, size), else ErrRange: a list that is full never gives an index
// away twice.
//
// It is a balanced Feistel network over the smallest even number of bits that
// holds size, with AES-256 as round function, walked until the value falls
// below size (cycle walking: Black and Rogaway, "Ciphers with arbitrary finite
// domains", 2002). The domain is less than four times size, so that it takes
// fewer than four walks on average.
func Permute(key [32]byte, list int64, counter, size int64) (int64, error) {
	if size < 1 || size > MaxSize || counter < 0 || counter >= size {
		return 0, ErrRange
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return 0, err
	}
	half := (bits.Len64(uint64(size-1)) + 1) / 2
	mask := uint64(1)<<half - 1
	var in, out [aes.BlockSize]byte
	binary.BigEndian.PutUint64(in[:8], uint64(list))
	x := uint64(counter)
	for {
		left, right := x>>half, x&mask
		for r := range rounds {
			in[8] = byte(r)
			binary.BigEndian.PutUint32(in[12:], uint32(right))
			block.Encrypt(out[:], in[:])
			left, right = right, left^(binary.BigEndian.Uint64(out[:8])&mask)
		}
		x = left<<half | right
		if x < uint64(size) {
			return int64(x), nil
		}
	}
}
