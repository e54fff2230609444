"""Makes small files of each format, as programs write them."""

import io
import zipfile

ODF = "application/vnd.oasis.opendocument."
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
A = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
)
R = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
S = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
KIND = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"


def archive(files, compression=zipfile.ZIP_DEFLATED):
    """Returns a ZIP file of {path: text or bytes}."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", compression) as file:
        for path, content in files.items():
            file.writestr(path, content)
    return data.getvalue()


def relationships(targets):
    """Returns a .rels file of {id: (kind, target)}."""
    rows = (f'<Relationship Id="{id}" Type="{KIND}{kind}" Target="{to}"/>' for id, (kind, to) in targets.items())
    return f'<Relationships xmlns="{PACKAGE}">{"".join(rows)}</Relationships>'


def docx(body, styles="", others=(), related=()):
    files = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>",
        "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
        "word/_rels/document.xml.rels": relationships(dict(related)),
    }
    return archive(files | dict(others))


def paragraph(text, properties=""):
    return f"<w:p>{properties}<w:r><w:t>{text}</w:t></w:r></w:p>"


def xlsx(sheets, others=()):
    """`sheets` is {name: (the XML of its rows, its state)}; rows of lists of texts and numbers become XML."""
    files, rows, targets = {"[Content_Types].xml": "<Types/>"}, "", {}
    for number, (name, (content, state)) in enumerate(sheets.items(), 1):
        xml = content if isinstance(content, str) else "".join(map(_row, content))
        files[f"xl/worksheets/sheet{number}.xml"] = f"<worksheet {S}><sheetData>{xml}</sheetData></worksheet>"
        rows += f'<sheet name="{name}" sheetId="{number}" state="{state}" r:id="rId{number}"/>'
        targets[f"rId{number}"] = ("worksheet", f"worksheets/sheet{number}.xml")
    files["xl/workbook.xml"] = f"<workbook {S} {R}><sheets>{rows}</sheets></workbook>"
    files["_rels/.rels"] = relationships({"rId1": ("officeDocument", "xl/workbook.xml")})
    files["xl/_rels/workbook.xml.rels"] = relationships(targets)
    return archive(files | dict(others))


def _row(values):
    return "<row>" + "".join(map(_cell, values)) + "</row>"


def _cell(value):
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def pptx(slides, others=()):
    """`slides` is a list of (the XML of its shapes, attributes of the slide, the text of its notes)."""
    files, ids, targets = {"[Content_Types].xml": "<Types/>"}, "", {}
    for number, (shapes, attributes, notes) in enumerate(slides, 1):
        files[f"ppt/slides/slide{number}.xml"] = f"<p:sld {A} {attributes}><p:spTree>{shapes}</p:spTree></p:sld>"
        if notes:
            own = {"rId1": ("notesSlide", f"../notesSlides/notes{number}.xml")}
            files[f"ppt/slides/_rels/slide{number}.xml.rels"] = relationships(own)
            number_field = shape(str(number), '<p:ph type="sldNum"/>')
            files[f"ppt/notesSlides/notes{number}.xml"] = f"<p:notes {A}>{shape(notes)}{number_field}</p:notes>"
        ids += f'<p:sldId id="{255 + number}" r:id="rId{number}"/>'
        targets[f"rId{number}"] = ("slide", f"slides/slide{number}.xml")
    files["ppt/presentation.xml"] = f"<p:presentation {A} {R}><p:sldIdLst>{ids}</p:sldIdLst></p:presentation>"
    files["ppt/_rels/presentation.xml.rels"] = relationships(targets)
    return archive(files | dict(others))


def shape(text, placeholder=""):
    return f"<p:sp><p:nvSpPr>{placeholder}</p:nvSpPr><p:txBody>{slide_paragraph(text)}</p:txBody></p:sp>"


def slide_paragraph(text):
    return f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>"


def open_document(kind, content, manifest="<manifest/>"):
    names = ("office", "text", "table", "draw", "presentation")
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in names)
    document = f"<office:document-content {spaces}><office:body>{content}</office:body></office:document-content>"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:  # the type comes first and is not compressed
        file.writestr("mimetype", ODF + kind)
        file.writestr("content.xml", document)
        file.writestr("META-INF/manifest.xml", manifest)
    return data.getvalue()


def pdf(pages, font="Helvetica", cmap="", extra="", trailer=""):
    """Returns a PDF; each page is a list of (x, y, text), or the content of the page as bytes.

    `cmap` is the predefined encoding of a Japanese font that is not embedded, such as UniJIS-UCS2-H.
    """
    if cmap:
        descendant = (
            "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HeiseiMin-W3"
            " /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>"
        )
        font = f"/BaseFont /HeiseiMin-W3 /Encoding /{cmap} /DescendantFonts [{descendant}]"
        described = f"<< /Type /Font /Subtype /Type0 {font} >>"
    else:
        described = f"<< /Type /Font /Subtype /Type1 /BaseFont /{font} >>"
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "", described, extra or "null"]
    kids = []
    for page in pages:
        content = page if isinstance(page, bytes) else b"".join(_text(*item, cmap) for item in page)
        objects.append(content)
        kids.append(len(objects) + 1)
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]"
            f" /Resources << /Font << /F 3 0 R >> /XObject << /I 4 0 R >> >> /Contents {len(objects)} 0 R >>"
        )
    objects[1] = f"<< /Type /Pages /Count {len(kids)} /Kids [{' '.join(f'{kid} 0 R' for kid in kids)}] >>"
    return _join(objects, trailer)


def _text(x, y, text, cmap):
    encoded = {"": "latin-1", "90ms": "cp932", "UniJ": "utf-16-be"}[cmap[:4]]
    return b"BT /F 12 Tf %d %d Td <%s> Tj ET\n" % (x, y, text.encode(encoded).hex().encode())


def _join(objects, trailer):
    data, offsets = b"%PDF-1.7\n", []
    for number, item in enumerate(objects, 1):
        offsets.append(len(data))
        if isinstance(item, bytes):
            item = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(item), item)
        data += b"%d 0 obj\n%s\nendobj\n" % (number, item if isinstance(item, bytes) else item.encode())
    start = len(data)
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    data += b"xref\n0 %d\n0000000000 65535 f \n%s" % (len(objects) + 1, rows)
    end = f"trailer << /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{start}\n%%EOF\n"
    return data + end.encode()


PICTURE = (
    "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>"
    "\nstream\nA\nendstream"
)
ID = "43" * 16
PASSWORD = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{ID * 2}> /U <{ID * 2}> /P -4 >> /ID [<{ID}> <{ID}>]"
