package autoconf

import (
	"encoding/binary"
	"time"
)

// Lifetimes of temporary addresses (RFC 8981 section 3.8).
const (
	tempValidLifetime     = 48 * time.Hour // TEMP_VALID_LIFETIME
	tempPreferredLifetime = 24 * time.Hour // TEMP_PREFERRED_LIFETIME
	regenAdvance          = 2*time.Second + idgenRetries*time.Second
	maxDesyncFactor       = tempPreferredLifetime * 4 / 10 // MAX_DESYNC_FACTOR
)

// temporary is the part of a binding that only a temporary address has.
type temporary struct {
	maxPreferred time.Duration // when it is deprecated at the latest
	maxValid     time.Duration // when it ends at the latest
	replaceAt    time.Duration // when another is formed; ip.Forever: that has been done
}

// ensureTemporary forms a temporary address beside the stable one, unless another temporary address stays preferred for a while, or the
// prefix is about to be deprecated (RFC 8981 section 3.4).
func (h *Host) ensureTemporary(now time.Duration, stable *binding) {
	if !h.cfg.Temporary || stable == nil || stable.prefix == linkLocal {
		return
	}
	for _, b := range h.bindings {
		if b.prefix == stable.prefix && b.temporary != nil && b.preferred-regenAdvance > now {
			return
		}
	}
	desync := h.between(0, maxDesyncFactor) // so that hosts that start together do not change together
	b := &binding{prefix: stable.prefix, formAt: now, preferred: stable.preferred, valid: stable.valid, advertisers: stable.advertisers}
	b.temporary = &temporary{maxPreferred: now + tempPreferredLifetime - desync, maxValid: now + tempValidLifetime}
	b.limit()
	if b.preferred-regenAdvance > now {
		h.bind(now, b)
	}
}

// limit bounds the lifetimes of a temporary address.
func (b *binding) limit() {
	t := b.temporary
	b.preferred, b.valid = min(b.preferred, t.maxPreferred), min(b.valid, t.maxValid)
	t.replaceAt = b.preferred - regenAdvance
}

// randomIdentifier is an identifier that nobody can guess (RFC 8981 section 3.3.1).
func (h *Host) randomIdentifier() (id identifier) {
	binary.BigEndian.PutUint64(id[:], h.random.Uint64())
	return id
}
