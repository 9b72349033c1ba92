# SPDX-License-Identifier: Apache-2.0
"""browser.py: drives a headless Chromium over its debugging pipe, for tests of the timeline's pages.

    with Browser(profile_dir) as browser:
        browser.open("http://127.0.0.1:6060/")
        browser.wait("document.title === 'Builds'")
        browser.run("document.getElementById('search').value")

find() returns the program, or None.
"""
import json, os, shutil, subprocess, time


def find():
    for name in ("chromium-headless-shell", "chromium"):
        if shutil.which(name):
            return name
    return None


class Browser:
    def __init__(self, profile):
        self.profile = profile
        self.messages = []

    def __enter__(self):
        read_command, self.write_fd = os.pipe()
        self.read_fd, write_reply = os.pipe()
        pipes = f"exec 3<&{read_command} 4>&{write_reply}; exec \"$@\""
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", pipes, "bash", find(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             f"--user-data-dir={self.profile}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=(read_command, write_reply), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(read_command)
        os.close(write_reply)
        self.buffer, self.next_id, self.session = b"", 1, None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(domain + ".enable")
        return self

    def __exit__(self, *_):
        os.close(self.write_fd)
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.read_fd)

    def receive(self):
        while b"\0" not in self.buffer:
            more = os.read(self.read_fd, 1 << 20)
            if not more:
                raise EOFError("the browser ended")
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(line)

    def call(self, method, **params):
        message = {"id": self.next_id, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.next_id += 1
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write_fd, data):]
        while True:
            reply = self.receive()
            if reply.get("id") == message["id"]:
                if "error" in reply:
                    raise RuntimeError(reply["error"])
                return reply["result"]
            # Errors of the page: exceptions, messages of the console, what the content security policy refused, dialogs.
            if reply.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Page.javascriptDialogOpening"):
                self.messages.append(reply["params"])
            if reply.get("method") == "Log.entryAdded" and "Failed to load resource" not in reply["params"]["entry"]["text"]:
                self.messages.append(reply["params"])

    def open(self, url):
        self.call("Page.navigate", url=url)

    def run(self, expression):
        reply = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in reply:
            raise RuntimeError(reply["exceptionDetails"])
        return reply["result"].get("value")

    def wait(self, expression, seconds=60):
        """Asks until the expression is true; a page that is being loaded has no document for a while."""
        end = time.monotonic() + seconds
        while True:
            try:
                if self.run(f"!!({expression})"):
                    return
            except RuntimeError:
                pass
            if time.monotonic() > end:
                raise TimeoutError(f"{expression}: {self.run('document.body.innerText')[-3000:]}")
            time.sleep(0.1)
