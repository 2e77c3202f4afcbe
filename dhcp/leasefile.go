package dhcp

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"tunstack/dhcp/dhcp4"
	"tunstack/socketapi"
)

// leaseFile keeps a client's identifier and its lease in a file.
type leaseFile struct {
	path     string
	clientID string
	lease    *savedLease // of an earlier run
}

// content is the file in JSON.
type content struct {
	ClientID string      `json:"client_id"` // in hexadecimal digits
	Lease    *savedLease `json:"lease"`     // null: there is none, or it was given back
}

// savedLease is a lease with times of the day; a zero time never comes.
type savedLease struct {
	Address netip.Prefix `json:"address"`
	Server  netip.Addr   `json:"server"`
	Start   time.Time    `json:"start"`
	Renew   time.Time    `json:"renew"`
	Rebind  time.Time    `json:"rebind"`
	End     time.Time    `json:"end"`
	dhcp4.Settings
}

// openLeaseFile reads the file, whose identifier goes before id, and makes it if there is none. So a file that cannot be written is an error
// before the first message.
func openLeaseFile(path string, id *identity) (*leaseFile, error) {
	f := &leaseFile{path: path}
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		if err := f.parse(b, id); err != nil {
			return nil, fmt.Errorf("lease file %s: %w; remove it to get a new one", path, err)
		}
	}
	f.clientID = hex.EncodeToString(id.client())
	return f, f.save(f.lease)
}

func (f *leaseFile) parse(b []byte, id *identity) error {
	var c content
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	raw, err := hex.DecodeString(c.ClientID)
	if err != nil {
		return err
	}
	if l := c.Lease; l != nil && (!l.Address.IsValid() || !l.Address.Addr().Is4() || !l.Server.Is4()) {
		return errors.New("the lease has no IPv4 address or no server")
	}
	f.lease = c.Lease
	return id.parse(raw)
}

// save replaces the file. A reader finds the old content or the new.
func (f *leaseFile) save(l *savedLease) error {
	b, err := json.MarshalIndent(content{f.clientID, l}, "", "  ")
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+"-")
	if err != nil {
		return err
	}
	_, err = next.Write(append(b, '\n'))
	err = errors.Join(err, next.Close())
	if err == nil {
		err = os.Rename(next.Name(), f.path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(next.Name()))
	}
	return err
}

// remembered is the lease in the file on the stack's clock, whose time is now; nil: there is none.
func (f *leaseFile) remembered(now time.Duration) *dhcp4.Lease {
	l := f.lease
	if l == nil {
		return nil
	}
	at := func(t time.Time) time.Duration {
		if t.IsZero() {
			return socketapi.Forever
		}
		return now + time.Until(t)
	}
	return &dhcp4.Lease{
		Addr: l.Address, Server: l.Server, Start: at(l.Start), Renew: at(l.Renew), Rebind: at(l.Rebind), End: at(l.End), Settings: l.Settings,
	}
}

// save writes the held lease into the file, or that it is given back.
func (c *Client) save(release bool) {
	if err := c.file.save(c.savedLease(release)); err != nil {
		c.cfg.Logger.Warn("the lease is not kept", "file", c.file.path, "error", err)
	}
}

// savedLease is the held lease for the file; nil if it is given back.
func (c *Client) savedLease(release bool) *savedLease {
	l := c.machine.Lease()
	if release || l == nil {
		return nil
	}
	now := c.stack.Now()
	at := func(d time.Duration) time.Time {
		if d == socketapi.Forever {
			return time.Time{}
		}
		return time.Now().Add(d - now)
	}
	return &savedLease{
		Address: l.Addr, Server: l.Server, Start: at(l.Start), Renew: at(l.Renew), Rebind: at(l.Rebind), End: at(l.End), Settings: l.Settings,
	}
}
