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
		return nil, errors.New("the interface of the water library is not an os.File")
	}
	return newFileQueue(t, 0, file)
}
