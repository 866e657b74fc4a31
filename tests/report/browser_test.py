"""browser_test.py FERRY WRITE_REPORTS SOURCE: the HTML report as its readers use it.

Opens reports of our models, of a synthetic placement, of one with hostile names and of one with
10,000 nodes in headless Chromium; clicks, searches and types; no page may log an error, fetch
anything or be wider than its window. With SCREENSHOTS=FOLDER in the environment it leaves pictures.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

FERRY, WRITE_REPORTS, SOURCE = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
FOLDER = tempfile.TemporaryDirectory()
ROW_HEIGHT = 24
LONGEST_START = 2.0  # seconds until a report of 10,000 nodes is there


def start_browser():
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--force-device-scale-factor=1", f"--user-data-dir={FOLDER.name}/profile",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)


def write_pages():
    """Name -> file of every page that the tests open."""
    pages = {}
    for name, arguments in (("synthetic", ["64"]), ("hostile", ["--hostile", "64"]),
                            ("three", ["--three", "64"]), ("large", ["10000"])):
        pages[name] = pathlib.Path(FOLDER.name) / f"{name}.html"
        subprocess.run([WRITE_REPORTS, *arguments, str(pages[name])], check=True)
    for model in ("net", "digits", "mixer"):
        pages[model] = pathlib.Path(FOLDER.name) / f"{model}.html"
        subprocess.run([FERRY, "place", str(SOURCE / f"models/{model}.onnx"), "-d", "sim:0,cpu",
                        "--quiet", "-o", str(pages[model])], check=True)
    return pages


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pages = write_pages()
        cls.browser = start_browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.quit()

    def open(self, name, width=1400, height=1000, dark=False):
        self.browser.set_window_size(width, height)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.browser.get(self.pages[name].as_uri())
        self.script("window.scrollTo(0, 0)")
        self.settle()

    def tearDown(self):
        self.settle()
        self.assertEqual(self.browser.get_log("browser"), [])
        self.assertEqual(self.script("return performance.getEntriesByType('resource').length"), 0)
        widths = self.script("return [document.documentElement.scrollWidth, window.innerWidth]")
        self.assertLessEqual(*widths)

    # ---- helpers ----

    def script(self, text, *arguments):
        return self.browser.execute_script(text, *arguments)

    def settle(self):
        """Until two frames are drawn."""
        self.browser.execute_async_script(
            "const done = arguments[0];"
            "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 30)))")

    def element(self, name):
        return self.browser.find_element(By.ID, name)

    def keys(self, *keys):
        ActionChains(self.browser).send_keys(*keys).perform()
        self.settle()

    def panel(self):
        return self.element("panel").text

    def heading(self):
        return self.browser.find_element(By.CSS_SELECTOR, "#panel h3").text

    def click_canvas(self, x, y):
        canvas = self.element("lanes-canvas")
        self.script("arguments[0].scrollIntoView({block: 'center'})", canvas)
        size = canvas.size
        ActionChains(self.browser).move_to_element_with_offset(
            canvas, int(x - size["width"] / 2), int(y - size["height"] / 2)).click().perform()
        self.settle()

    def picture(self, name):
        folder = os.environ.get("SCREENSHOTS")
        if folder:
            self.browser.save_screenshot(f"{folder}/{name}.png")

    def color_count(self, canvas):
        """Different colours in a canvas: one where nothing is drawn."""
        return self.script(
            "const canvas = document.getElementById(arguments[0]);"
            "const data = canvas.getContext('2d')"
            ".getImageData(0, 0, canvas.width, canvas.height).data;"
            "const seen = new Set();"
            "for (let i = 0; i < data.length; i += 4)"
            "  seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);"
            "return seen.size", canvas)

    # ---- tests ----

    def test_every_model_opens(self):
        for name in ("net", "digits", "mixer", "synthetic"):
            for dark in (False, True):
                with self.subTest(name=name, dark=dark):
                    self.open(name, dark=dark)
                    self.assertIn(".onnx", self.element("model").text)
                    self.assertIn("sim:0 is simulated", self.element("badges").text)
                    self.assertTrue(self.element("summary").text.startswith("placed "))
                    self.assertGreater(self.color_count("lanes-canvas"), 10)
                    self.assertGreater(self.color_count("map"), 2)
                    theme = self.script("return document.documentElement.dataset.theme")
                    self.assertEqual(theme, "dark" if dark else "light")
                    self.picture(f"{name}_{'dark' if dark else 'light'}")

    def test_sections_answer_what_a_reader_asks(self):
        self.open("synthetic")
        groups = self.element("groups").text
        for text in ("on cpu: no_kernel", "The requested device has no kernel for this operator.",
                     "With -d DEVICE,cpu it runs on the CPU.", "2 copies", "on sim:0 (simulated): requested"):
            self.assertIn(text, groups)
        tiles = self.element("tiles").text
        for text in ("Predicted time of a run", "Greedy", "All on CPU", "Lower bound", "Measured",
                     "53 of 64", "To devices", " of 73.2 MiB"):
            self.assertIn(text, tiles)
        request = self.element("request-list").text
        for text in ("op:Unique=cpu: 2 nodes on cpu", "cpu below batch 3", "sim:0: 73.2 MiB",
                     "fingerprint 5f2c9ad1e07b", "PCIe 4 x16", "no room on sim:0"):
            self.assertIn(text, request)
        self.assertIn("A run took", self.element("measured-hint").text)

    def test_a_click_on_a_row_tells_the_story_of_its_node(self):
        self.open("synthetic")
        self.click_canvas(200, 10.5 * ROW_HEIGHT)
        panel = self.panel()
        for text in ("/encoder/layer.0/attention/mask/Unique", "no_kernel", "cannot run it",
                     "no kernel is written for Unique", "500 ns", "Measured", "Outputs",
                     "read from a copy", "written, then copied"):
            self.assertIn(text, panel)
        self.browser.find_element(By.XPATH, "//aside//li/button").click()
        self.assertIn("Why it is made", self.panel())
        self.browser.find_element(By.XPATH, "//aside//p/button").click()
        self.assertIn("Why it is here", self.panel())

    def test_a_click_on_an_arrow_tells_the_story_of_its_copy(self):
        self.open("synthetic")
        x = self.script("return (lanes.laneLeft(0) + lanes.laneWidth + lanes.laneLeft(1)) / 2")
        self.click_canvas(x, 0.5 * ROW_HEIGHT)
        self.assertEqual(self.heading(), "input_ids")
        for text in ("feed", "An input of the model", "3.0 MiB = 393216*batch bytes", "Read by"):
            self.assertIn(text, self.panel())

    def test_search(self):
        self.open("synthetic")
        self.keys("/")
        self.assertEqual(self.script("return document.activeElement.id"), "search")
        self.keys("unique")
        self.assertEqual(self.element("matches").text, "4 matches")
        self.assertIn("layer.0/", self.heading())
        self.keys(Keys.ENTER)
        self.assertEqual(self.element("matches").text, "2 of 4 matches")
        self.assertIn("layer.1/", self.heading())
        self.element("previous").click()
        self.assertIn("layer.0/", self.heading())
        self.element("search").click()
        self.keys("x")
        self.assertEqual(self.element("matches").text, "no match")
        self.keys(Keys.ESCAPE)
        self.assertEqual(self.element("search").get_attribute("value"), "")
        self.assertEqual(self.element("matches").text, "")
        self.assertEqual(self.script("return document.activeElement.id"), "lanes")

    def test_keys_move_through_the_lanes(self):
        self.open("synthetic")
        self.script("document.getElementById('lanes').focus()")
        selected = "return selection.row"
        for key, row in ((Keys.HOME, 0), (Keys.ARROW_DOWN, 1), (Keys.ARROW_RIGHT, 4),
                         (Keys.ARROW_RIGHT, 6), (Keys.ARROW_LEFT, 4), (Keys.ARROW_UP, 3),
                         (Keys.END, 63)):
            self.keys(key)
            self.assertEqual(self.script(selected), row)
        announced = self.script("return document.getElementById('announcement').textContent")
        self.assertTrue(announced.startswith("64 of 64: Mul /encoder/layer.3/scale/Mul, on sim:0"))
        self.keys(Keys.PAGE_UP)
        self.assertLess(self.script(selected), 63)
        self.keys(Keys.ENTER)
        self.assertEqual(self.script("return document.activeElement.id"), "panel")
        self.keys(Keys.ESCAPE)
        self.assertIn("Nothing selected", self.panel())

    def test_tab_reaches_everything_with_a_visible_focus(self):
        self.open("synthetic")
        reached = set()
        for _ in range(200):
            self.keys(Keys.TAB)
            name, outline = self.script(
                "const at = document.activeElement;"
                "return at === document.body ? ['', ''] :"
                "  [at.getAttribute('aria-label') || at.id || at.textContent,"
                "   getComputedStyle(at).outlineStyle]")
            if not name:  # past the last
                break
            reached.add(name)
            self.assertNotEqual(outline, "none", name)
        for name in ("Skip to the execution", "theme", "Copies", "Show in the execution", "search",
                     "Next match", "Nodes in execution order", "Weights"):
            self.assertIn(name, reached)

    def test_reasons_and_tables_lead_into_the_execution(self):
        self.open("synthetic")
        self.browser.find_element(By.XPATH, "//button[.='Show in the execution']").click()
        self.settle()
        self.assertEqual(self.element("matches").text, "8 nodes on cpu: host_value")
        self.assertIn("attention/Shape", self.heading())
        rows = "#copy-table .rows .row"
        first = self.browser.find_element(By.CSS_SELECTOR, rows)
        self.assertIn("8.6 MiB", first.text)
        self.script("arguments[0].scrollIntoView({block: 'center'})", first)
        first.click()
        self.settle()
        self.assertIn("feed_forward/Gelu_output_0", self.heading())
        head = self.browser.find_element(By.XPATH, "//*[@id='copy-table']//button[.='Bytes']")
        self.script("arguments[0].scrollIntoView({block: 'center'})", head)
        head.click()
        self.assertIn("32 B", self.browser.find_element(By.CSS_SELECTOR, rows).text)
        self.assertEqual(head.find_element(By.XPATH, "..").get_attribute("aria-sort"), "ascending")

    def test_themes_by_hand(self):
        self.open("mixer", dark=True)
        for label, shown in (("light", "light"), ("dark", "dark"), ("auto", "dark")):
            self.element("theme").click()
            self.assertEqual(self.element("theme").text, f"Theme: {label}")
            self.assertEqual(self.script("return document.documentElement.dataset.theme"), shown)

    def test_names_are_text(self):
        self.open("hostile")
        self.assertEqual(self.element("model").text, "</script><script>window.hacked = 1</script>")
        self.script("document.getElementById('lanes').focus()")
        self.keys(Keys.HOME, Keys.ARROW_DOWN)
        self.assertEqual(self.heading(), "__proto__")
        self.assertIn("<img src=x onerror='window.hacked = 1'>", self.panel())
        self.script("selectCrossing(crossings[0])")
        self.script("showNodes(reasonGroups()[0])")
        self.settle()
        self.assertIsNone(self.script("return window.hacked"))
        self.assertEqual(self.browser.find_elements(By.TAG_NAME, "img"), [])

    def test_a_narrow_window(self):
        self.open("synthetic", width=520)
        self.script("selectRow(10)")
        self.settle()
        self.assertGreater(self.color_count("lanes-canvas"), 10)
        self.assertTrue(self.element("panel").is_displayed())
        self.picture("synthetic_narrow")

    def test_three_devices(self):
        for width in (1400, 1000, 520):
            self.open("three", width=width)
            self.picture(f"three_{width}")
            widths = self.script("return [document.documentElement.scrollWidth, innerWidth]")
            self.assertLessEqual(*widths)
        self.assertIn("sim:1 is simulated, assumed", self.element("badges").text)
        self.script("selectRow(17)")
        self.assertIn("sim:1 (simulated, assumed)", self.panel())

    def test_sections_stop_below_the_heading(self):
        self.open("three")
        self.browser.find_element(By.LINK_TEXT, "Memory").click()
        self.settle()
        heading, section = self.script(
            "return [document.querySelector('header').getBoundingClientRect().bottom,"
            "        document.getElementById('memory-title').getBoundingClientRect().top]")
        self.assertTrue(heading <= section < heading + 60, (heading, section))

    def test_ten_thousand_nodes(self):
        starts = []
        while len(starts) < 3 and min(starts, default=LONGEST_START) >= LONGEST_START:
            self.browser.get("about:blank")
            start = time.monotonic()
            self.open("large")
            starts.append(time.monotonic() - start)
        self.assertLess(min(starts), LONGEST_START)
        self.assertGreater(self.color_count("lanes-canvas"), 10)
        self.keys("/")
        self.keys("layer.400/")
        self.assertEqual(self.element("matches").text, "16 matches")
        self.assertIn("/encoder/layer.400/", self.heading())
        self.picture("large_search")
        self.script("document.getElementById('lanes').focus()")
        self.keys(Keys.END)
        self.assertEqual(self.script("return selection.row"), 9999)
        # The map leads to the middle.
        size = self.element("map").size
        ActionChains(self.browser).move_to_element_with_offset(
            self.element("map"), 0, 0).click().perform()
        self.settle()
        top = self.script("return document.getElementById('lanes').scrollTop") / ROW_HEIGHT
        self.assertTrue(4500 < top < 5500, (top, size))
        # No more elements than the rows in view need.
        self.assertLess(self.script("return document.querySelectorAll('*').length"), 3000)


if __name__ == "__main__":
    with contextlib.closing(type("Folder", (), {"close": FOLDER.cleanup})()):
        unittest.main(argv=sys.argv[:1], verbosity=1)
