"""Objects in a directory, and in a store that speaks S3."""

import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from twoleg.store.objects import ObjectMissing, Objects, ObjectSettings, ObjectsUnavailable

BIG = bytes(range(256)) * 4096  # 1 MiB


class S3Handler(BaseHTTPRequestHandler):
    """As much of S3 as takes, gives and removes objects by path; multipart too."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, query = self._target()
        if "partNumber" in query:
            self.server.parts[query["uploadId"][0]][int(query["partNumber"][0])] = body
        else:
            self.server.objects[path] = body
        self._answer(200, headers={"ETag": '"tag"'})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        path, query = self._target()
        if "delete" in query:
            keys = re.findall("<Key>(.*?)</Key>", body)
            for key in keys:
                self.server.objects.pop(f"{path}/{key}", None)
            deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            self._answer(200, f"<DeleteResult>{deleted}</DeleteResult>".encode())
        elif "uploads" in query:
            upload = str(len(self.server.parts) + 1)
            self.server.parts[upload] = {}
            self._answer(200, self._xml("InitiateMultipartUploadResult", UploadId=upload))
        else:
            parts = self.server.parts[query["uploadId"][0]]
            self.server.objects[path] = b"".join(parts[number] for number in sorted(parts))
            self._answer(200, self._xml("CompleteMultipartUploadResult", ETag="tag"))

    def do_GET(self):
        path, _ = self._target()
        body = self.server.objects.get(path)
        if body is None:
            self._answer(404, self._xml("Error", Code="NoSuchKey"))
            return
        headers = {"ETag": '"tag"', "Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        wanted = self.headers.get("Range")
        if wanted is None:
            self._answer(200, body, headers)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        part = body[int(first) : int(last) + 1]
        headers["Content-Range"] = f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"
        self._answer(206, part, headers)

    def do_HEAD(self):
        self.do_GET()

    def _target(self):
        parts = urlsplit(self.path)
        self.server.authorizations.append(self.headers.get("Authorization", ""))
        return unquote(parts.path), parse_qs(parts.query, keep_blank_values=True)

    def _xml(self, name, **fields):
        inner = "".join(f"<{field}>{value}</{field}>" for field, value in fields.items())
        return f"<{name}>{inner}</{name}>".encode()

    def _answer(self, status, body=b"", headers=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@pytest.fixture
def s3():
    server = ThreadingHTTPServer(("127.0.0.1", 0), S3Handler)
    server.daemon_threads = True
    server.objects, server.parts, server.authorizations = {}, {}, []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def s3_settings(server, directory):
    return ObjectSettings(
        directory=directory,
        url="s3://recordings/office",
        endpoint=f"http://127.0.0.1:{server.server_port}",
        region="eu-test-1",
        access_key="AKIATEST",
        secret_key="very-secret",
    )


@pytest.fixture(params=["directory", "s3"])
def objects(request, tmp_path):
    if request.param == "directory":
        return Objects.open(ObjectSettings(directory=tmp_path / "objects"))
    return Objects.open(s3_settings(request.getfixturevalue("s3"), tmp_path))


async def read(objects, key, start, end):
    return b"".join([chunk async for chunk in objects.read(key, start, end)])


async def test_what_is_put_there_can_be_read_whole_and_in_part(objects, tmp_path):
    file = tmp_path / "made"
    file.write_bytes(BIG)
    await objects.adopt(file, "3/7.wav")
    assert not file.exists()
    assert await objects.size("3/7.wav") == len(BIG)
    assert await read(objects, "3/7.wav", 0, len(BIG)) == BIG
    assert await read(objects, "3/7.wav", 1000, 300_001) == BIG[1000:300_001]
    await objects.fetch("3/7.wav", tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == BIG


async def test_the_same_key_again_replaces_what_was_there(objects, tmp_path):
    for content in (b"first", b"second"):
        file = tmp_path / "made"
        file.write_bytes(content)
        await objects.adopt(file, "7.raw")
    assert await read(objects, "7.raw", 0, 6) == b"second"


async def test_what_is_removed_is_missing_and_may_be_removed_again(objects, tmp_path):
    file = tmp_path / "made"
    file.write_bytes(b"x")
    await objects.adopt(file, "a/b/c")
    await objects.delete("a/b/c")
    await objects.delete("a/b/c")
    with pytest.raises(ObjectMissing):
        await objects.size("a/b/c")
    with pytest.raises(ObjectMissing):
        await objects.fetch("a/b/c", tmp_path / "none")
    with pytest.raises(ObjectMissing):
        await read(objects, "a/b/c", 0, 1)


async def test_objects_lie_below_the_prefix_and_requests_are_signed(s3, tmp_path):
    objects = Objects.open(s3_settings(s3, tmp_path))
    file = tmp_path / "made"
    file.write_bytes(b"x")
    await objects.adopt(file, "3/7.wav")
    assert list(s3.objects) == ["/recordings/office/3/7.wav"]
    assert all("Credential=AKIATEST/" in each for each in s3.authorizations)
    assert "very-secret" not in "".join(s3.authorizations)


async def test_a_store_that_refuses_says_so_without_its_keys(s3, tmp_path, monkeypatch):
    monkeypatch.setattr(S3Handler, "do_PUT", lambda self: self._answer(403))
    settings = s3_settings(s3, tmp_path)
    assert "very-secret" not in repr(settings)
    file = tmp_path / "made"
    file.write_bytes(b"x")
    with pytest.raises(ObjectsUnavailable) as refused:
        await Objects.open(settings).adopt(file, "3/7.wav")
    assert file.exists()
    assert "very-secret" not in str(refused.value)
    assert "AKIATEST" not in str(refused.value)


async def test_a_directory_is_made_when_it_is_needed_and_for_its_owner_alone(tmp_path):
    objects = Objects.open(ObjectSettings(directory=tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    with pytest.raises(ObjectMissing):
        await objects.size("none")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


async def test_a_directory_that_cannot_be_made_is_unavailable(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    objects = Objects.open(ObjectSettings(directory=tmp_path / "file" / "new"))
    with pytest.raises(ObjectsUnavailable):
        await objects.size("none")
