"""Products as they are answered."""

from catalog_service.models.products import ProductVariant
from catalog_service.queries.products import ProductDetail
from catalog_service.schemas.products import ImageOut, ProductOut, VariantOut
from common_lib.money import Money


def product_out(detail: ProductDetail) -> ProductOut:
    product = detail.product
    return ProductOut(
        id=product.id,
        name=product.name,
        slug=product.slug,
        description=product.description,
        category_id=product.category_id,
        seller_id=product.seller_id,
        status=product.status.value,
        avg_rating=float(product.avg_rating),
        review_count=product.review_count,
        version=product.version,
        variants=variants_out(detail),
        images=tuple(
            ImageOut(
                id=image.id,
                url=image.url,
                alt_text=image.alt_text,
                width=image.width,
                height=image.height,
            )
            for image in detail.images
        ),
        created_at=product.created_at,
        updated_at=product.updated_at,
    )


def variants_out(detail: ProductDetail) -> tuple[VariantOut, ...]:
    return tuple(
        variant_out(variant, detail.available.get(variant.id, 0)) for variant in detail.variants
    )


def variant_out(variant: ProductVariant, available: int) -> VariantOut:
    compare_at = variant.compare_at_price_minor
    return VariantOut(
        id=variant.id,
        sku=variant.sku,
        name=variant.name,
        price=variant.price,
        compare_at_price=(
            None if compare_at is None else Money(amount=compare_at, currency=variant.currency)
        ),
        attributes=variant.attributes,
        is_active=variant.is_active,
        position=variant.position,
        available=available,
    )
