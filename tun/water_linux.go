package tun

import (
	"errors"
	"os"

	"github.com/songgao/water"
)

func systemWaterQueue(t *params, ifce *water.Interface) (closingQueue, error) {
	file, ok := ifce.ReadWriteCloser.(*os.File)
	if !ok {
		ifce.Close()
		return nil, errors.New("the water library has opened something that is no file")
	}
	return newFileQueue(t, 0, file)
}
