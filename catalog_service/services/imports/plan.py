"""What a chunk of a file comes to: products to write, products to change, rows refused."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from catalog_service.models.products import (
    Product,
    ProductStatus,
    ProductVariant,
    TooManyVariants,
)
from catalog_service.schemas.imports import ProductCells
from catalog_service.schemas.products import VariantChange, VariantIn
from catalog_service.services.imports import format as csv_format
from catalog_service.services.imports.categories import CategoryNames
from catalog_service.services.imports.cells import (
    BadRow,
    VariantCells,
    product_cells,
    variant_cells,
)
from catalog_service.services.imports.reader import Group, Row, RowError
from catalog_service.services.products.changes import slug_of
from catalog_service.services.products.rules import InvalidProduct
from catalog_service.services.products.variants import apply_change, new_variant
from common_lib.clock import now
from common_lib.ids import new_id


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalog already has of a chunk: its SKUs in any store, the owner's own products."""

    owner: UUID | None
    # By SKU in lower case: the product it belongs to, None for another owner's.
    product_of_sku: Mapping[str, Product | None]
    product_of_slug: Mapping[str, Product]
    categories: CategoryNames
    currency: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the database has against a product as a whole."""

    column: str
    code: str
    detail: str


@dataclass
class Plan:
    """The outcome so far, in memory alone."""

    known: Known
    created: list[Product] = field(default_factory=list)
    changed: dict[UUID, Product] = field(default_factory=dict)
    shelves: list[tuple[ProductVariant, VariantIn]] = field(default_factory=list)
    faults: dict[tuple[int, str], RowError] = field(default_factory=dict)
    rows: int = 0
    created_rows: int = 0
    updated_rows: int = 0

    @property
    def errors(self) -> Collection[RowError]:
        """What is wrong, cell by cell: all of it, of one cell what was found first."""
        return self.faults.values()

    @property
    def failed_rows(self) -> int:
        return len({error.line for error in self.errors})

    def take(self, group: Group) -> None:
        """Decide about one product of the file. Nothing it finds wrong raises."""
        rows = self._readable(group)
        if not rows:
            return
        product = self._product(group, rows)
        is_refused = product is None and group.is_repeat
        if is_refused:
            self._refuse(rows, "", "repeated_handle", "rows of one product must stand together")
        cells = self._product_cells(rows, product)
        taken = self._variants(rows, product)
        if cells is not None and taken and not is_refused:
            self._take_variants(taken, cells, product)

    def refuse_whole(self, group: Group, refusal: Refusal) -> None:
        """Refuse a product that the database would not take."""
        rows = self._readable(group)
        self._refuse(rows, refusal.column, refusal.code, refusal.detail)

    def _readable(self, group: Group) -> list[Row]:
        self.rows += len(group.rows)
        self._note(*(error for row in group.rows for error in row.errors))
        return [row for row in group.rows if not row.errors]

    def _note(self, *errors: RowError) -> None:
        for error in errors:
            self.faults.setdefault((error.line, error.column), error)

    def _product(self, group: Group, rows: Sequence[Row]) -> Product | None:
        """Return the owner's product of the first known SKU, else the one with that slug."""
        for row in rows:
            product = self.known.product_of_sku.get(_sku(row))
            if product is not None:
                return product
        return self.known.product_of_slug.get(group.handle)

    def _product_cells(self, rows: Sequence[Row], product: Product | None) -> ProductCells | None:
        try:
            return product_cells(rows[0], self.known.categories, is_new=product is None)
        except BadRow as bad:
            self._note(*bad.errors)
            detail = f"line {rows[0].line}, the first of this product, is wrong"
            self._refuse(rows[1:], csv_format.NAME, "product_refused", detail)
            return None

    def _variants(self, rows: Sequence[Row], product: Product | None) -> list[VariantCells]:
        taken: list[VariantCells] = []
        for row in rows:
            try:
                taken.append(self._variant(row, rows[0], product))
            except BadRow as bad:
                self._note(*bad.errors)
        return taken

    def _take_variants(
        self, taken: Sequence[VariantCells], cells: ProductCells, product: Product | None
    ) -> None:
        if _would_be_empty(taken, cells, product):
            detail = "an active product needs an active variant"
            self._refuse(taken, csv_format.ACTIVE, "last_variant", detail)
        elif product is None:
            self._create(taken, cells)
        else:
            self._change(taken, cells, product)

    def _variant(self, row: Row, first: Row, product: Product | None) -> VariantCells:
        sku = _sku(row)
        faults = [*self._sku_faults(row, sku, product), *_differences(row, first)]
        is_new = sku not in self.known.product_of_sku
        return variant_cells(row, currency=self.known.currency, is_new=is_new, faults=faults)

    def _sku_faults(self, row: Row, sku: str, product: Product | None) -> Iterator[RowError]:
        known = self.known.product_of_sku
        if row.repeats_sku:
            yield _bad_sku(row, "duplicate_sku", "an earlier line has this SKU")
        elif sku in known and known[sku] is None:
            yield _bad_sku(row, "sku_taken", "another store's variant has this SKU")
        elif sku in known and known[sku] is not product:
            yield _bad_sku(row, "sku_of_other_product", "another of your products has this SKU")

    def _create(self, taken: Sequence[VariantCells], cells: ProductCells) -> None:
        product_id, at = new_id(), now()
        product = Product(
            id=product_id,
            seller_id=self.known.owner,
            category_id=cells.category_id,
            name=cells.name,
            slug=slug_of(cells.name, product_id),
            description=cells.description,
            status=ProductStatus(cells.status or "DRAFT"),
            min_price_minor=min(each.variant.price.amount for each in taken),
            version=1,
            avg_rating=0,
            review_count=0,
            variants=[],
            created_at=at,
            updated_at=at,
        )
        for each in taken:
            self._add_variant(product, each)
        self.created.append(product)

    def _change(self, taken: Sequence[VariantCells], cells: ProductCells, product: Product) -> None:
        own = {variant.sku.casefold(): variant for variant in product.variants}
        count = len(product.variants)
        is_changed = _apply_product(product, cells)
        touched = {taken[0].line} if is_changed and _sku_of(taken[0]) in own else set()
        for each in taken:
            variant = own.get(_sku_of(each))
            if variant is None:
                self._add_variant(product, each)
            elif self._update_variant(variant, each):
                touched.add(each.line)
        self.updated_rows += len(touched - {line for line, _ in self.faults})
        if is_changed or touched or len(product.variants) > count:
            self.changed[product.id] = product

    def _add_variant(self, product: Product, cells: VariantCells) -> None:
        variant = new_variant(product.id, 0, cells.variant)
        variant.is_active = cells.is_active
        try:
            product.add_variant(variant)
        except TooManyVariants as error:
            self._note(RowError(cells.line, csv_format.SKU, error.code, error.detail))
            return
        self.shelves.append((variant, cells.variant))
        self.created_rows += 1

    def _update_variant(self, variant: ProductVariant, cells: VariantCells) -> bool:
        change = _change_of(cells)
        if not _differs(variant, change):
            return False
        try:
            apply_change(variant, change, "", self.known.currency)
        except InvalidProduct as error:
            found = error.errors[0]
            refusal = RowError(cells.line, csv_format.PRICE, found.code, found.detail)
            self._note(refusal)
            return False
        return True

    def _refuse(
        self, rows: Iterable[Row | VariantCells], column: str, code: str, detail: str
    ) -> None:
        self._note(*(RowError(row.line, column, code, detail) for row in rows))


def _sku(row: Row) -> str:
    return row.cells[csv_format.SKU].strip().casefold()


def _sku_of(cells: VariantCells) -> str:
    return cells.variant.sku.casefold()


def _bad_sku(row: Row, code: str, detail: str) -> RowError:
    return RowError(row.line, csv_format.SKU, code, detail)


def _differences(row: Row, first: Row) -> Iterator[RowError]:
    """Yield where a row says something else of its product than the first one does."""
    for column in csv_format.PRODUCT_COLUMNS:
        cell = row.cells.get(column, "")
        if cell.strip() and cell != first.cells[column]:
            detail = f"line {first.line}, the first of this product, says something else"
            yield RowError(row.line, column, "differs", detail)


def _would_be_empty(
    taken: Sequence[VariantCells], cells: ProductCells, product: Product | None
) -> bool:
    """Tell whether the product would be for sale without anything to buy."""
    status = cells.status or (product.status if product else ProductStatus.DRAFT)
    if status != ProductStatus.ACTIVE:
        return False
    active = {v.sku.casefold(): v.is_active for v in product.variants} if product else {}
    for each in taken:
        sku = each.variant.sku.casefold()
        if csv_format.ACTIVE in each.given or sku not in active:
            active[sku] = each.is_active
    return not any(active.values())


def _apply_product(product: Product, cells: ProductCells) -> bool:
    """Take over what the file says of the product; False where it said so already."""
    before = (product.name, product.description, product.category_id, product.status)
    product.name = cells.name
    product.description = cells.description
    product.category_id = cells.category_id
    if cells.status is not None and cells.status != product.status:
        product.move_to(ProductStatus(cells.status))
    return before != (product.name, product.description, product.category_id, product.status)


def _change_of(cells: VariantCells) -> VariantChange:
    """Return the change a row asks for: of the optional columns only those the file has."""
    raw: dict[str, object] = {"name": cells.variant.name, "price": cells.variant.price}
    if csv_format.COMPARE_AT in cells.given:
        raw["compareAtPrice"] = cells.variant.compare_at_price
    if csv_format.ATTRIBUTES in cells.given:
        raw["attributes"] = cells.variant.attributes
    if csv_format.ACTIVE in cells.given:
        raw["isActive"] = cells.is_active
    return VariantChange.model_validate(raw)


def _differs(variant: ProductVariant, change: VariantChange) -> bool:
    present = {
        "name": variant.name,
        "price": variant.price,
        "compare_at_price": variant.compare_at_price_minor,
        "attributes": variant.attributes,
        "is_active": variant.is_active,
    }
    wanted = {name: getattr(change, name) for name in change.model_fields_set}
    if change.compare_at_price is not None:
        wanted["compare_at_price"] = change.compare_at_price.amount
    return any(present[name] != value for name, value in wanted.items())
